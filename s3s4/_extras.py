"""How to get an extra: said in one place, as the package is on no index yet."""


def to_install(extra: str) -> str:
    """The command that installs an extra, and where.

    Parameters
    ----------
    extra : str

    Returns
    -------
    str
    """
    return f"pip install '.[{extra}]' (in a clone of s3s4)"
