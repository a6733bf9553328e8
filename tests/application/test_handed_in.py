import streamlit as st

from medvision.application import handed_in
from medvision.application.handed_in import ANSWERS, FILES, MOST_ANSWERS, answer_for, forget_images, take_images
from medvision.application.uploads import MEGABYTES, MOST_IMAGES, TYPES, images_of
from tests.application.fakes import draw_page, grey, image_bytes, opened_fake, shown_texts, upload


def page(opened):
    found = take_images("Images", 5_000_000)
    for key, asked in found.items():
        answer = answer_for(opened, key, asked)
        st.text(answer if isinstance(answer, str) else f"{asked.name} {answer.record.probabilities[0][1]:.2f}")


def counted(monkeypatch):
    """A list that grows with each time that a network is asked."""
    asked, ask = [], handed_in.ask
    monkeypatch.setattr(handed_in, "ask", lambda opened, one: asked.append(one.name) or ask(opened, one))
    return asked


def test_each_image_is_asked_about_once_and_forgotten_when_it_is_removed(tmp_path, monkeypatch):
    asked = counted(monkeypatch)
    drawn = draw_page(page, opened_fake(tmp_path / "run"))
    (place,) = drawn.file_uploader
    assert set(place.allowed_type) == {f".{name}" for name in TYPES}
    assert place.proto.max_upload_size_mb == MEGABYTES
    assert any("5 megapixels" in text for text in shown_texts(drawn))
    upload(drawn, ("a.png", image_bytes(grey(255, 9, 9))), ("b.jpg", image_bytes(grey(0), "JPEG")))
    assert [text.value for text in drawn.text] == ["a.png 1.00", "b.jpg 0.00"]
    drawn.run()
    assert asked == ["a.png", "b.jpg"]
    assert len(drawn.session_state[ANSWERS]) == len(drawn.session_state[FILES]) == 2
    upload(drawn, ("b.jpg", image_bytes(grey(0), "JPEG")))
    assert len(drawn.session_state[ANSWERS]) == len(drawn.session_state[FILES]) == 1
    drawn.file_uploader[0].set_value(None)
    drawn.run()
    assert drawn.session_state[ANSWERS] == drawn.session_state[FILES] == {}


def test_what_cannot_be_read_is_told_and_the_rest_is_answered(tmp_path):
    drawn = draw_page(page, opened_fake(tmp_path / "run"))
    upload(drawn, ("![x](h).tif", b"II*\0"), ("bad.png", b"<html>"), ("a.png", image_bytes(grey(255, 9, 9))))
    (error,) = drawn.error
    assert error.value.startswith(r"\!\[x\]\(h\)\.tif\: a damaged or truncated TIFF")
    assert [text.value.replace("\\", "") for text in drawn.text] == [
        "bad.png: a web page and not an image; download it again",
        "a.png 1.00",
    ]


def test_more_images_than_the_limit_are_left_out_and_told_of(tmp_path, monkeypatch):
    asked = counted(monkeypatch)
    drawn = draw_page(page, opened_fake(tmp_path / "run"))
    upload(drawn, *((f"{k}.png", image_bytes(grey(k, 4, 4))) for k in range(MOST_IMAGES + 1)))
    assert len(asked) == MOST_IMAGES
    assert any(f"{MOST_IMAGES + 1} images were handed in; only the first" in text for text in shown_texts(drawn))


def test_a_second_run_is_asked_anew(tmp_path, monkeypatch):
    asked = counted(monkeypatch)
    runs = [opened_fake(tmp_path / name, label=name) for name in ("a", "b")]

    images = images_of("a.png", image_bytes(grey(1)))

    def ask_both(first, second):
        for one in (first, second, first):
            answer_for(one, "1", images[0])

    assert not draw_page(ask_both, *runs).exception
    assert asked == ["a.png", "a.png"]


def test_old_answers_are_dropped(tmp_path):
    one = opened_fake(tmp_path / "run")
    image = images_of("a.png", image_bytes(grey(1, 4, 4)))[0]

    def ask_many(opened):
        for number in range(MOST_ANSWERS + 3):
            answer_for(opened, str(number), image)

    kept = draw_page(ask_many, one).session_state[ANSWERS]
    assert [key for _, key in kept] == [str(number) for number in range(3, MOST_ANSWERS + 3)]


def test_another_page_forgets_everything(tmp_path):
    def then_forget(opened):
        page(opened)
        if st.button("another page"):
            forget_images()

    drawn = upload(draw_page(then_forget, opened_fake(tmp_path / "run")), ("a.png", image_bytes(grey(1))))
    assert drawn.session_state[FILES]
    drawn.button[0].click().run()
    assert FILES not in drawn.session_state
    assert ANSWERS not in drawn.session_state
