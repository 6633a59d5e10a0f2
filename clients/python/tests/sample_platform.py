"""A platform with nothing but previews: below a path without PREVIEW_DOMAIN, else with names."""

import os

from fastapi import FastAPI

from previewd.fastapi import mount_previews

app = FastAPI()
mount_previews(app, domain=os.environ.get("PREVIEW_DOMAIN"))
