#!/usr/bin/env python3
"""Reads the QR codes that `smp` draws in a terminal, from screenshots, with the scanners that people have.

    docs/session/scan.py                builds the programs, starts a relay, and prints a table
    docs/session/scan.py --keep DIR     leaves the screenshots there

The real program draws into a pseudo-terminal; its cells are rendered with real fonts in the colours of dark and light
themes. Most terminals draw block characters themselves, to the edges of their cells; others take those of the font, which
may leave gaps: both are measured. The scanners are zxing-cpp (many apps for Android), zbar and BoofCV (the family that SimpleX for Android uses).
They and the rest come from PyPI into a temporary folder; besides, libzbar0 of Debian, a font (fonts-dejavu-core) and
Java (default-jre-headless) are needed.
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile

import record

PACKAGES = ["pyte==0.8.2", "pillow==13.0.0", "zxing-cpp==3.1.1", "pyzbar==0.1.9", "PyBoof==0.43.1"]
FONTS = [
    "/usr/share/fonts/truetype/dejavu/DejaVuSansMono.ttf",
    "/usr/share/fonts/truetype/liberation/LiberationMono-Regular.ttf",
    "/usr/share/fonts/truetype/noto/NotoSansMono-Regular.ttf",
]
# Foreground and background, as terminals have them.
THEMES = {
    "dark": ("#d0d0d0", "#1e1e1e"),
    "light": ("#24292e", "#ffffff"),
    "Solarized dark": ("#839496", "#002b36"),
    "Solarized light": ("#657b83", "#fdf6e3"),
}
# Sizes of letters in pixels: small windows, usual ones, and screens with twice the pixels.
SIZES = [10, 13, 16, 28]
# Enough for a full link.
COLUMNS, LINES = 100, 60


def provide():
    """Installs what is needed into a temporary folder, and starts again with it."""
    folder = tempfile.mkdtemp(prefix="smp-scan-")
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    python = os.path.join(folder, "bin", "python")
    subprocess.run([python, "-m", "pip", "install", "--quiet", *PACKAGES], check=True)
    environment = {**os.environ, "SMP_SCAN": folder, "PATH": f"{folder}/bin:{os.environ['PATH']}"}
    try:
        return subprocess.run([python, __file__, *sys.argv[1:]], env=environment).returncode
    finally:
        subprocess.run(["rm", "-rf", folder])


def screen_of(printed):
    """The cells of the terminal."""
    import pyte

    screen = pyte.Screen(COLUMNS, LINES)
    pyte.ByteStream(screen).feed(printed)
    return screen


def picture_of(screen, font_path, size, theme, own_blocks):
    """A screenshot of it."""
    from PIL import Image, ImageDraw, ImageFont

    font = ImageFont.truetype(font_path, size)
    ascent, descent = font.getmetrics()
    width, height = round(font.getlength("M")), ascent + descent
    foreground, background = THEMES[theme]
    picture = Image.new("RGB", (COLUMNS * width, LINES * height), background)
    draw = ImageDraw.Draw(picture)

    def colour(name, usual):
        return usual if name == "default" else f"#{name}" if re.fullmatch("[0-9a-f]{6}", name) else name

    for y in range(LINES):
        for x in range(COLUMNS):
            cell = screen.buffer[y][x]
            back = colour(cell.bg, background)
            if back != background:
                draw.rectangle((x * width, y * height, (x + 1) * width - 1, (y + 1) * height - 1), fill=back)
            halves = {"▀": (0, 1), "▄": (1, 2), "█": (0, 2)}.get(cell.data)
            if halves and own_blocks:
                top, end = (y * height + part * height // 2 for part in halves)
                draw.rectangle((x * width, top, (x + 1) * width - 1, end - 1), fill=colour(cell.fg, foreground))
            elif cell.data.strip():
                draw.text((x * width, y * height), cell.data, font=font, fill=colour(cell.fg, foreground))
    return picture


def scanners():
    """Names and functions that read the texts of a picture in a file."""
    import numpy
    import pyboof
    import pyzbar.pyzbar
    import zxingcpp
    from PIL import Image

    boof = pyboof.FactoryFiducial(numpy.uint8).qrcode()

    def read_boof(path):
        boof.detect(pyboof.load_single_band(path, numpy.uint8))
        return [found.message for found in boof.detections]

    return {
        "zxing-cpp": lambda path: [found.text for found in zxingcpp.read_barcodes(Image.open(path))],
        "zbar": lambda path: [found.data.decode() for found in pyzbar.pyzbar.decode(Image.open(path))],
        "BoofCV": read_boof,
    }


def drawings(options):
    """What the program draws: a name, the text of the code, and the bytes that it prints."""
    with tempfile.TemporaryDirectory(prefix="smp-") as folder:
        process, relay = record.relay_of(folder, options.server)
        try:
            alice = [options.smp, "--data-dir", os.path.join(folder, "alice")]
            subprocess.run([*alice, "init", "--name", "alice", "--relay", relay], check=True, capture_output=True)
            for name, words in (("short link", ["invite"]), ("full link", ["invite", "--full"])):
                printed = record.Terminal([*alice, *words], COLUMNS, LINES).end()
                yield name, re.search(rb"simplex:/\S+", printed).group().decode(), printed
        finally:
            process.terminate()
            process.wait()


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--keep", help="a folder for the screenshots")
    options = record.arguments(parser)
    if "SMP_SCAN" not in os.environ:
        return provide()
    folder = options.keep or os.path.join(os.environ["SMP_SCAN"], "pictures")
    os.makedirs(folder, exist_ok=True)
    fonts = [font for font in FONTS if os.path.exists(font)]
    if not fonts:
        raise SystemExit("there is no font here: install fonts-dejavu-core")
    known = scanners()
    tried, failed = 0, []
    results = {}
    for name, text, printed in drawings(options):
        screen = screen_of(printed)
        for theme in THEMES:
            for font in fonts:
                for blocks in ("of the terminal", "of " + os.path.basename(font)[:-4]):
                    for size in SIZES:
                        shot = f"{name}, {theme}, blocks {blocks}, {os.path.basename(font)[:-4]} {size}"
                        path = os.path.join(folder, shot.replace(" ", "-").replace(",", "") + ".png")
                        picture_of(screen, font, size, theme, blocks == "of the terminal").save(path)
                        for scanner, read in known.items():
                            row = results.setdefault((name, theme, blocks), {}).setdefault(scanner, [0, 0])
                            row[1] += 1
                            tried += 1
                            if text in read(path):
                                row[0] += 1
                            else:
                                failed.append((blocks, f"{scanner}: {shot}"))
    print("| code | theme | blocks | " + " | ".join(known) + " |")
    print("|---|---|---|" + "---|" * len(known))
    for (name, theme, blocks), row in results.items():
        print(f"| {name} | {theme} | {blocks} | " + " | ".join(f"{read} of {all}" for read, all in row.values()) + " |")
    print(f"{tried - len(failed)} of {tried} are read, not these:" if failed else f"All {tried} are read.")
    print("\n".join(shot for _, shot in failed))
    return 1 if any(blocks == "of the terminal" for blocks, _ in failed) else 0


if __name__ == "__main__":
    sys.exit(main())
