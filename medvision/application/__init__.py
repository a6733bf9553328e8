"""The app in the browser: a shell, and a page a module; only this part and `medvision.app` know Streamlit."""
