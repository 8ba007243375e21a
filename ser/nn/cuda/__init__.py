"""Faster ways on an NVIDIA GPU, one a layer: kernels in Triton, replayed as CUDA graphs."""

try:
    import triton
    import triton.language as tl
except ImportError:  # torch brings it on Linux alone
    triton = tl = None

jit = (lambda function: function) if triton is None else triton.jit
