"""The shop of the notebooks: its services and scenarios, a module for each subject. Says in one line what is missing to run them."""

import sys

try:
    import edakit  # noqa: F401
except ModuleNotFoundError as error:
    if error.name != "edakit":
        raise

    class NotInstalled(ImportError):
        """Shown in a notebook as the one line that matters, without a stack."""

        def _render_traceback_(self):
            return [str(self)]

    version = "{}.{}".format(*sys.version_info)
    raise NotInstalled(
        f"This notebook runs in Python {version}, which has no edakit (it needs Python 3.11 or later): close JupyterLab and start it "
        "with `make lab`, or install here with `pip install -e .[lab]`"
    ) from None
