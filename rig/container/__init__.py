"""What runs inside the containers of docker-compose.yml, one verb a service (docs/docker.md)."""
