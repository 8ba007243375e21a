"""Names in docstrings and signatures that are described elsewhere than in the book."""

ELSEWHERE: set[tuple[str, str]] = {
    ("py:class", name)
    for name in (
        "ArrayLike",
        "collections.abc.Callable",
        "collections.abc.Iterable",
        "collections.abc.Iterator",
        "collections.abc.Mapping",
        "collections.abc.Sequence",
        "contextlib.AbstractContextManager",
        "http.client.HTTPResponse",
        "logging.Handler",
        "matplotlib.axes._axes.Axes",
        "matplotlib.axes.Axes",
        "matplotlib.figure.Figure",
        "numba.core.caching.FunctionCache",
        "numpy.ndarray",
        "numpy.random.mtrand.RandomState",
        "numpy.typing.ArrayLike",
        "os.PathLike",
        "pandas.DataFrame",
        "pandas.Series",
        "pathlib.Path",
        "ser.normalise.Scale",  # a dict of arrays
        "chapters.shared.player.Sound",  # a path or samples
        "threading.Event",
        "ser.features.presets.Spectrogram",  # a type variable: an array or a tensor
        "torch.Tensor",
        "torch.autograd.function.Function",
        "torch.device",
        "torch.dtype",
        "torch.nn.BatchNorm1d",
        "torch.nn.LSTM",
        "torch.nn.LSTMCell",
        "torch.nn.Module",
        "torch.nn.modules.batchnorm.BatchNorm2d",
        "torch.nn.modules.container.Sequential",
        "torch.nn.modules.conv.Conv2d",
        "torch.nn.modules.module.Module",
        "torch.nn.modules.rnn.LSTM",
        "torch.optim.optimizer.Optimizer",
        "tqdm.std.tqdm",
        "tqdm.tqdm",
    )
} | {("py:meth", "reference")}  # an argument of ser.nn.DSLSTM
