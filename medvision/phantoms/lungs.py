"""Radiographs of adults' chests from the front, standing or in bed, with an exact mask of the lungs."""

from collections.abc import Callable

import cv2
import numpy as np
import numpy.typing as npt

from medvision.phantoms.radiograph import Exposure, Film, Points, expose, turn_points

Mask = npt.NDArray[np.uint8]
Placing = Callable[[Points], Points]
"""From fractions of the mean image to pixels of this one, (x, y)."""
COVID, CLEAR = "COVID-19", "No Finding"
STANDING, SUPINE = "PA", "AP Supine"
IGNORED = 255
RIBS = 9
CORNERS_CUT = 3


def draw_lungs(
    finding: str, view: str, patient: Exposure, hand: np.random.Generator, size: tuple[int, int], *, overlay: bool
) -> tuple[npt.NDArray[np.uint8], Mask]:
    """One chest of an adult.

    A lung reaches from its top to the diaphragm and from the chest wall to the spine, so that a part of it lies behind
    the heart. Standing (PA) the lungs are long, the heart is narrow and the shoulder blades lie beside the lungs; lying
    (AP) the lungs are short, the heart is wide, the shoulder blades lie over them, and there are leads.

    Args:
        finding: `COVID-19` (patchy opacities near the chest wall and at the bases of both lungs) or `No Finding`.
        view: `PA` or `AP Supine`.
        patient: whose chest.
        hand: draws how the patient stands or lies.
        size: height and width in pixels.
        overlay: burn an arrow or text into the picture, over a lung.

    Returns:
        Image and mask, each (H, W) uint8; the mask holds 0 background, 1 lung, 255 below an arrow or text.
    """
    height, width = size
    draw = np.random.default_rng(patient.seed)
    supine = view == SUPINE
    turn = 0.25 * patient.turn * (1.6 if supine else 1) + hand.normal(0, 1)
    shift, scale = hand.normal(0, 0.01, 2), draw.uniform(0.92, 1.04) * hand.normal(1, 0.01)

    def place(points: Points) -> Points:
        points = (points - 0.5) * scale + 0.5 + shift
        return turn_points(points * [width, height], turn, (width / 2, height / 2))

    film = Film(height, width, patient)
    shape = _Chest(draw, supine=supine)
    lungs = [place(shape.lung(side)) for side in (-1, 1)]
    mask = film.mask(*lungs)
    film.tissue(place(shape.trunk()), thickness=2.6, edge=0.1 * height)
    _soften(film, mask, film.mask(place(shape.heart()), place(shape.mediastinum())), supine=supine)
    air = cv2.GaussianBlur(mask.astype(np.float32), (0, 0), 0.006 * height)
    film.soft += patient.soft * air * (0.3 * _vessels(draw, mask) + (_opacities(draw, mask) if finding == COVID else 0))
    _bones(film, place, shape, supine=supine)
    if supine:
        _leads(film, place, draw)
    image = expose(film, hand)
    _letter(image, hand)
    if overlay:
        _overlay(image, mask, hand)
    return image, mask


class _Chest:
    """Outlines of what a chest holds, (N, 2) in fractions of the image; `side` is -1 at its left, 1 at its right."""

    def __init__(self, draw: np.random.Generator, *, supine: bool) -> None:
        self.supine = supine
        self.top = draw.uniform(0.07, 0.12) + 0.04 * supine
        self.length = draw.uniform(0.44, 0.55) if supine else draw.uniform(0.6, 0.7)
        self.wide = draw.uniform(0.37, 0.41)
        self.spine = draw.uniform(0.045, 0.06)
        self.heart_width = draw.uniform(0.19, 0.24) if supine else draw.uniform(0.13, 0.175)
        self.lift = draw.uniform(0.01, 0.05)
        self.angles = draw.uniform(0.06, 0.14, 2)
        self.slope = draw.normal(0, 0.012)
        self.blade = draw.uniform(-0.02, 0.02)
        self.bubble = draw.uniform(0.03, 0.07)

    def dome(self, side: int) -> float:
        """How low the top of the diaphragm stands; higher on the side of the liver."""
        return self.top + self.length + (self.lift if side > 0 else 0)

    def lung(self, side: int) -> Points:
        top, length, wide, dome = self.top, self.dome(side) - self.top, self.wide, self.dome(side)
        corner = dome + self.angles[0 if side < 0 else 1]
        right = [
            *((0.11, top), (0.2, top + 0.03), (0.78 * wide, top + 0.2 * length), (0.93 * wide, top + 0.5 * length)),
            *((wide, top + 0.85 * length), (wide, corner), (wide - 0.02, corner), (0.8 * wide, dome + 0.03)),
            *((0.55 * wide, dome), (0.3 * wide, dome + 0.015), (self.spine, dome + 0.06), (self.spine, dome + 0.03)),
            *((self.spine, top + 0.5 * length), (self.spine + 0.01, top + 0.1 * length)),
        ]
        return _smooth(np.array([(0.5 + side * x, y) for x, y in right]))

    def trunk(self) -> Points:
        """Shoulders and flanks; who lies in bed fills the picture."""
        half = 0.6 if self.supine else self.wide + 0.08
        right = [(0.1, -0.2), (0.13, 0.02), (0.36, 0.07), (0.62, 0.14), (half + 0.05, 0.3), (half, 0.6), (half, 1.3)]
        return _smooth(np.array([(0.5 + x, y) for x, y in right] + [(0.5 - x, y) for x, y in right[::-1]]))

    def heart(self) -> Points:
        """With the vessels above it: two thirds lie on its owner's left, the tip lowest and outermost."""
        across = [-0.32, -0.55, -0.66, -0.55, 0.5, 1.2, 1.38, 1.0, 0.5, 0.42, 0.3]
        above = [0.62, 0.36, 0.16, -0.02, -0.1, -0.06, 0.06, 0.24, 0.42, 0.56, 0.66]
        down = self.dome(1) - np.array(above) * self.length
        return _smooth(np.column_stack([0.5 + self.heart_width * np.array(across), down]))

    def mediastinum(self) -> Points:
        return _oval(0.5, self.top + 0.45 * self.length, self.spine + (0.035 if self.supine else 0.012), self.length)

    def stomach(self) -> Points:
        """Its gas below the left dome, over a level of fluid."""
        x, y = 0.5 + 0.5 * self.wide, self.dome(1) + 0.05 + self.bubble
        gas = _oval(x, y, 0.05 + self.bubble, self.bubble)
        return np.column_stack([gas[:, 0], np.minimum(gas[:, 1], y + 0.3 * self.bubble)])

    def vertebrae(self) -> list[Points]:
        """From the neck to below the diaphragm."""
        heights = np.arange(-0.05, 1.1, 0.062)
        return [_smooth(_box(0.5, y, 0.65 * self.spine + 0.008 * y, 0.027)) for y in heights]

    def shoulder_blade(self, side: int) -> Points:
        x = 0.5 + side * (self.wide + self.blade + (-0.11 if self.supine else 0.06))
        corners = [(0.09, 0.1), (0.13, 0.17), (0.02, 0.46), (-0.02, 0.44), (-0.04, 0.16)]
        return _smooth(np.array([(x + side * across, y) for across, y in corners]))

    def clavicle(self, side: int) -> Points:
        inner, outer = (0.15, 0.11) if self.supine else (0.2, 0.1)
        return _strip(0.5 + side * 0.04, self.top + inner - 0.06, 0.5 + side * 0.4, self.top + outer - 0.06, 0.014)

    def rib(self, side: int, number: int) -> Points:
        """The back half of a rib: it rises from the spine and falls towards the chest wall."""
        along = np.linspace(0, 1, 20)
        y = self.top + 0.03 + number * (self.length + 0.12) / RIBS
        reach = (self.wide + 0.015) * np.interp(number, [0, 2, 8], [0.6, 0.9, 1.02])
        x = 0.5 + side * (0.035 + (reach - 0.035) * along)
        drop = y - 0.05 * np.sin(np.pi * along * 0.8) + (0.1 + self.slope + 0.008 * number) * along**2.2
        return np.concatenate([np.column_stack([x, drop - 0.011]), np.column_stack([x, drop + 0.011])[::-1]])


def _smooth(points: Points) -> Points:
    """A closed outline with its corners cut (Chaikin, Comput. Graph. Image Process. 3:346, 1974)."""
    for _ in range(CORNERS_CUT):
        following = np.roll(points, -1, axis=0)
        points = np.stack([0.75 * points + 0.25 * following, 0.25 * points + 0.75 * following], 1).reshape(-1, 2)
    return points


def _oval(x: float, y: float, width: float, height: float) -> Points:
    angle = np.linspace(0, 2 * np.pi, 64, endpoint=False)
    return np.column_stack([x + width * np.cos(angle), y + height * np.sin(angle)])


def _box(x: float, y: float, half_width: float, half_height: float) -> Points:
    return np.array([x, y]) + np.array([[-1, -1], [-1, 1], [1, 1], [1, -1]]) * [half_width, half_height]


def _strip(x0: float, y0: float, x1: float, y1: float, half: float) -> Points:
    return np.array([[x0, y0 - half], [x1, y1 - half], [x1, y1 + half], [x0, y0 + half]])


def _soften(film: Film, lungs: Mask, middle: Mask, *, supine: bool) -> None:
    """Air in the lungs takes tissue away, less of it behind the heart; a chest in bed scatters more."""
    height = film.shape[0]
    air = cv2.GaussianBlur(lungs.astype(np.float32), (0, 0), 0.006 * height)
    solid = cv2.GaussianBlur(middle.astype(np.float32), (0, 0), 0.008 * height)
    film.soft *= 1 - (0.68 if supine else 0.8) * air * (1 - 0.72 * solid)
    film.soft += 0.35 * film.patient.soft * supine


def _vessels(draw: np.random.Generator, mask: Mask) -> npt.NDArray[np.float32]:
    """Markings that grow finer away from the middle, (H, W) float32."""
    height, width = mask.shape
    fine = cv2.resize(draw.standard_normal((44, 44)).astype(np.float32), (width, height), interpolation=cv2.INTER_CUBIC)
    column = np.abs(np.linspace(-1, 1, width, dtype=np.float32))
    return np.asarray(np.clip(fine, 0, None) * (0.4 + 1.6 * np.exp(-5 * column))[None, :], dtype=np.float32)


def _opacities(draw: np.random.Generator, mask: Mask) -> npt.NDArray[np.float32]:
    """Patches near the chest wall and at the bases, (H, W) float32 relative to the patient's soft tissue."""
    height, width = mask.shape
    cloud = cv2.resize(draw.standard_normal((9, 10)).astype(np.float32), (width, height), interpolation=cv2.INTER_CUBIC)
    grain = cv2.resize(
        draw.standard_normal((36, 40)).astype(np.float32), (width, height), interpolation=cv2.INTER_CUBIC
    )
    column = np.abs(np.linspace(-1, 1, width, dtype=np.float32))[None, :]
    row = np.linspace(0, 1, height, dtype=np.float32)[:, None]
    place = np.clip(1.6 * column - 0.1, 0, 1) * np.clip(1.8 * row - 0.1, 0.1, 1)
    patches = np.clip(cloud + 0.5, 0, 1.5) * place * (1 + 0.2 * grain)
    return np.asarray(draw.uniform(0.7, 1.7) * patches, dtype=np.float32)


def _bones(film: Film, place: Placing, shape: _Chest, *, supine: bool) -> None:
    height = film.shape[0]
    film.bone(*(place(vertebra) for vertebra in shape.vertebrae()), cortex=0.006 * height, density=0.5)
    for side in (-1, 1):
        film.bone(place(shape.clavicle(side)), cortex=0.007 * height, density=0.5)
        film.bone(place(shape.shoulder_blade(side)), cortex=0.008 * height, density=0.3 if supine else 0.4)
        for number in range(RIBS):
            film.bone(place(shape.rib(side, number)), cortex=0.005 * height, density=0.32)
    if not supine:
        gas = film.mask(place(shape.stomach())).astype(np.float32)
        film.soft *= 1 - 0.6 * cv2.GaussianBlur(gas, (0, 0), 0.006 * height)
    throat = film.mask(place(_box(0.5, 0.5 * shape.top + 0.1, 0.016, 0.5 * shape.top + 0.13)))
    film.soft *= 1 - 0.35 * cv2.GaussianBlur(throat.astype(np.float32), (0, 0), 0.006 * height)


def _leads(film: Film, place: Placing, draw: np.random.Generator) -> None:
    """Wires of the electrocardiogram with their electrodes, often a tube in the windpipe."""
    drawn = np.zeros(film.shape, dtype=np.uint8)
    for _ in range(int(draw.integers(2, 5))):
        along = np.linspace(0, 1, 30)
        end = np.array([draw.uniform(0.15, 0.85), draw.uniform(0.25, 0.8)])
        start = np.array([draw.choice([-0.05, 1.05]), draw.uniform(0.3, 1.0)])
        path = start + along[:, None] * (end - start) + np.outer(np.sin(np.pi * along), [0, draw.normal(0, 0.1)])
        pixels = np.round(place(path)).astype(np.int32)
        cv2.polylines(drawn, [pixels], False, 1, 1)
        cv2.circle(drawn, pixels[-1].tolist(), max(2, film.shape[0] // 70), 1, -1)
    if draw.random() < 0.6:
        for x in (0.492, 0.508):
            tube = np.round(place(np.array([[x, -0.1], [x, draw.uniform(0.24, 0.32)]]))).astype(np.int32)
            cv2.line(drawn, tube[0].tolist(), tube[1].tolist(), 1, 1)
    film.hard += 0.5 * drawn


def _letter(image: npt.NDArray[np.uint8], hand: np.random.Generator) -> None:
    height, width = image.shape
    place = int(width * hand.uniform(0.88, 0.92)), int(height * hand.uniform(0.06, 0.1))
    cv2.putText(image, "L", place, cv2.FONT_HERSHEY_SIMPLEX, 0.002 * width, 240, 1 + width // 300)


def _overlay(image: npt.NDArray[np.uint8], mask: Mask, hand: np.random.Generator) -> None:
    """An arrow or a line of text over one of the lungs; what it hides is ignored in the mask."""
    width = image.shape[1]
    rows, columns = np.nonzero(mask)
    inner = int(hand.integers(len(rows)))
    x, y = int(np.clip(columns[inner], 0.1 * width, 0.75 * width)), int(rows[inner])
    drawn = np.zeros_like(image)
    if hand.random() < 0.5:
        angle, length = hand.uniform(0, 2 * np.pi), 0.16 * width
        tail = int(x + length * np.cos(angle)), int(y + length * np.sin(angle))
        cv2.arrowedLine(drawn, tail, (x, y), 255, max(2, width // 90), tipLength=0.35)
    else:
        text = ("08:40", "12.03.", "No. 3")[int(hand.integers(3))]
        cv2.putText(drawn, text, (x, y), cv2.FONT_HERSHEY_SIMPLEX, 0.0016 * width, 255, 1 + width // 300)
    image[drawn > 0] = 250
    mask[cv2.dilate(drawn, np.ones((5, 5), np.uint8)) > 0] = IGNORED
