"""`./run docker-test`: the containers built, run, killed and refused, where no registry is."""
