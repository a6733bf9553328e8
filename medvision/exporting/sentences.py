"""What an export says on the terminal."""

from typing import Any

from medvision.exporting.session import Exported


def tell(one: Exported) -> list[str]:
    """A file and how far it is from its run, a line each.

    Args:
        one: what became of it.
    """
    speed = ""
    if one.images_per_second is not None:
        speed = f", {one.images_per_second:,.0f} images/s on this CPU"
        speed += f" ({one.times_fp32:.2f} x fp32)" if one.precision != "fp32" else ""
    verdict = "not exported" if one.failures else "exported"
    lines = [f"{verdict}: {one.path} ({one.precision}, {one.bytes / 1e6:.1f} MB{speed})"]
    return lines + [f"  {leg} images: {_leg(found)}" for leg, found in one.parity.items()]


def _leg(found: dict[str, Any]) -> str:
    parts = [f"{found['images']} validation images"]
    if "flips" in found:
        difference = found["largest_difference"]
        told = "no number" if difference is None else f"{difference:.1e}"
        parts += [f"largest difference of a probability {told}", f"{found['flips']} other answers"]
    if "dice" in found:
        parts += [
            f"Dice of {name} {entry['mean']:.4f} (lowest {entry['lowest']:.4f})"
            for name, entry in found["dice"].items()
            if entry["mean"] is not None
        ]
    return ", ".join(parts)
