"""How the documentation is built: Sphinx, the furo theme, pages in MyST that run when built."""

from __future__ import annotations

import atexit
import logging
import os
import shutil
import sys
import tempfile
from pathlib import Path

import blackbox

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE / "_ext"))
# Pages run in processes of their own, one a core; threads inside them would only get in their way.
os.environ.setdefault("OMP_NUM_THREADS", "1")
# Pages run with nobody's IPython settings, and the build says what is wrong, not what is usual.
profile = Path(tempfile.mkdtemp(prefix="blackbox-docs-")) / "profile_default"
profile.mkdir()
(profile / "ipython_kernel_config.py").write_text('get_config().IPKernelApp.log_level = "ERROR"\n')
os.environ["IPYTHONDIR"] = str(profile.parent)
atexit.register(shutil.rmtree, profile.parent, ignore_errors=True)
logging.getLogger("traitlets").setLevel(logging.WARNING)

project = "blackbox"
author = "The blackbox authors"
copyright = "The blackbox authors"
release = version = blackbox.__version__

extensions = ["myst_nb", "sphinx.ext.autodoc", "mathml", "reference"]
exclude_patterns = ["_build"]

html_theme = "furo"
html_title = "blackbox"
html_static_path = ["_static"]
html_css_files = ["blackbox.css"]
html_math_renderer = "mathml"
html_copy_source = False
html_show_sourcelink = False

myst_enable_extensions = ["colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3

# A page that fails to run fails the build. Nothing is cached: what is shown was just printed.
nb_execution_mode = "force"
nb_execution_raise_on_error = True
nb_execution_show_tb = True
nb_execution_timeout = 600
nb_execution_in_temp = True

autodoc_default_options = {"members": True}
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
autodoc_class_signature = "mixed"
# Shown by name, as in the source, not spelled out.
autodoc_type_aliases = {
    name: name
    for name in ("Array", "Cube", "Data", "Floats", "Point", "XAxis", "ArrayLike", "NDArray")
} | {"npt.ArrayLike": "ArrayLike"}

# Signatures say Model and Backbone for short, and more than one module has such a name.
suppress_warnings = ["ref.python"]
