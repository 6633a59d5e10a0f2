"""The version of this package; pyproject.toml says the same."""

__version__ = "0.1.0"
USER_AGENT = f"previewd-python/{__version__}"
