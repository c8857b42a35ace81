"""What is true about money and access, whoever asks. Start with README.md beside this file."""
