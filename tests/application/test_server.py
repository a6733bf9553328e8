import asyncio

import pytest
from starlette.datastructures import Headers
from starlette.formparsers import MultiPartParser
from streamlit import config
from streamlit.web import bootstrap

from medvision.application import server
from medvision.application.uploads import MEGABYTES


@pytest.fixture
def served(monkeypatch):
    """What Streamlit was started with."""
    started = []
    monkeypatch.setattr(bootstrap, "run", lambda *given: started.append(given))
    monkeypatch.setattr(MultiPartParser, "spool_max_size", MultiPartParser.spool_max_size)
    server.serve(("a/run", "b run"), "127.0.0.1", 8765, browser=False)
    yield started
    config.get_config_options(force_reparse=True, options_from_flags={})


def test_streamlit_takes_every_setting(served):
    ((script, hello, runs, _),) = served
    assert script == str(server.MAIN)
    assert not hello
    assert runs == ["a/run", "b run"]
    expected = server.settings("127.0.0.1", 8765, browser=False)
    assert {name: config.get_option(name) for name in expected} == expected


def test_this_computer_alone_is_served_and_nothing_is_told_to_others(served):
    found = {name: config.get_option(name) for name in server.settings("127.0.0.1", 1, browser=True)}
    assert found["server.address"] == "127.0.0.1"
    assert found["server.allowedHosts"] == ["127.0.0.1", "localhost"]
    assert found["server.enableXsrfProtection"] is found["server.enableCORS"] is True
    assert found["browser.gatherUsageStats"] is False
    assert found["server.fileWatcherType"] == "none"
    assert found["server.maxUploadSize"] == MEGABYTES
    assert found["client.showErrorDetails"] == "none"


def test_a_configuration_file_of_the_folder_cannot_change_that(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".streamlit").mkdir()
    (tmp_path / ".streamlit" / "config.toml").write_text(
        '[server]\naddress = "0.0.0.0"\nenableXsrfProtection = false\n[browser]\ngatherUsageStats = true\n'
    )
    monkeypatch.setattr(bootstrap, "run", lambda *given: None)
    monkeypatch.setattr(MultiPartParser, "spool_max_size", MultiPartParser.spool_max_size)
    server.serve(("run",), "127.0.0.1", 8765, browser=False)
    assert config.get_option("server.address") == "127.0.0.1"
    assert config.get_option("server.enableXsrfProtection") is True
    assert config.get_option("browser.gatherUsageStats") is False
    monkeypatch.chdir("/")
    config.get_config_options(force_reparse=True, options_from_flags={})


def test_an_upload_of_the_largest_size_never_touches_the_disk(served, monkeypatch):
    size = MEGABYTES * 2**20
    edge = b"--x\r\nContent-Disposition: form-data; name=f; filename=a.png\r\n\r\n"

    async def body():
        yield edge
        for _ in range(MEGABYTES):
            yield bytes(2**20)
        yield b"\r\n--x--\r\n"

    headers = Headers({"content-type": "multipart/form-data; boundary=x"})

    async def parse():
        form = await MultiPartParser(headers, body()).parse()
        # A file that was moved from memory to the disk says so itself.
        found = form["f"].size, form["f"].file._rolled
        await form.close()
        return found

    assert asyncio.run(parse()) == (size, False)
    # As Streamlit alone would have it.
    monkeypatch.setattr(MultiPartParser, "spool_max_size", 2**20)
    assert asyncio.run(parse()) == (size, True)
