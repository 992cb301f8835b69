"""A whole bridge on this machine: ministack as AWS, the emulator as SageMaker, the real template and binaries."""
