"""Previews served by a platform's own FastAPI app: ``pip install 'previewd[fastapi]'``."""

from ._middleware import PreviewMiddleware
from ._router import mount_previews, preview_router

__all__ = ["PreviewMiddleware", "mount_previews", "preview_router"]
