"""The script that Streamlit runs for every visitor and every click; the run folders are its arguments."""

import sys

from medvision.application.shell import show_app

show_app(sys.argv[1:])
