"""Faster ways on an NVIDIA GPU, one a layer: kernels in Triton, replayed as CUDA graphs."""
