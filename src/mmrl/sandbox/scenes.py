"""Fourteen subjects drawn with Pillow: seven open views and seven things seen close.

Each function fills a `WIDTH` by `HEIGHT` drawing for one subject. They are chosen among what an
ImageNet classifier has words for, and are distinct in shape and texture, so that a real encoder
tells them apart. `rng` varies place, size and shade within a subject; which subject, how warm and
how busy is decided by the caller.
"""

import math
from collections.abc import Callable
from random import Random

from PIL import Image, ImageDraw

WIDTH, HEIGHT = 320, 256
Colour = tuple[int, int, int]
Draw = ImageDraw.ImageDraw


def _shade(colour: Colour, factor: float) -> Colour:
    r, g, b = (max(0, min(255, int(channel * factor))) for channel in colour)
    return r, g, b


def _mix(one: Colour, other: Colour, part: float) -> Colour:
    r, g, b = (int(a + (z - a) * part) for a, z in zip(one, other, strict=True))
    return r, g, b


def _gradient(draw: Draw, top: Colour, bottom: Colour, y0: int = 0, y1: int = HEIGHT) -> None:
    for y in range(y0, y1, 2):
        colour = _mix(top, bottom, (y - y0) / max(1, y1 - y0))
        draw.rectangle((0, y, WIDTH, y + 1), fill=colour)


def _disc(draw: Draw, x: float, y: float, radius: float, fill: Colour) -> None:
    draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=fill)


def _ridge(rng: Random, y: float, height: float, peaks: int) -> list[tuple[float, float]]:
    points: list[tuple[float, float]] = [(-10, HEIGHT)]
    for i in range(peaks * 2 + 1):
        lift = height * rng.uniform(0.6, 1.0) if i % 2 else height * rng.uniform(0.0, 0.35)
        points.append((i * WIDTH / (peaks * 2) + rng.uniform(-8, 8), y - lift))
    points.append((WIDTH + 10, HEIGHT))
    return points


def volcano(draw: Draw, rng: Random) -> None:
    _gradient(draw, (60, 40, 60), (150, 100, 90))
    x, top = WIDTH * rng.uniform(0.4, 0.6), rng.uniform(88, 112)
    for i in range(26):
        grey = rng.randint(60, 130)
        _disc(
            draw,
            x + rng.gauss(0, 8 + i * 1.6),
            top - i * 4.2,
            10 + i * 1.1,
            (grey, grey - 8, grey - 10),
        )
    base = rng.uniform(120, 160)
    cone = [(x - base, HEIGHT), (x - 22, top), (x + 22, top), (x + base, HEIGHT)]
    draw.polygon(cone, fill=(58, 46, 44))
    draw.polygon(
        [(x + 4, top), (x + 22, top), (x + base, HEIGHT), (x + 20, HEIGHT)], fill=(40, 32, 32)
    )
    for _ in range(5):
        flow, y = [(x + rng.uniform(-14, 14), top)], top
        while y < HEIGHT:
            y += rng.uniform(12, 26)
            flow.append((flow[-1][0] + rng.gauss(0, 9), y))
        draw.line(flow, fill=(255, rng.randint(80, 150), 30), width=rng.randint(3, 7))
    draw.ellipse((x - 22, top - 6, x + 22, top + 6), fill=(255, 170, 60))


def seashore(draw: Draw, rng: Random) -> None:
    horizon = int(rng.uniform(78, 104))
    shore = rng.uniform(168, 190)
    _gradient(draw, (96, 160, 220), (205, 228, 240), 0, horizon)
    _gradient(draw, (28, 92, 140), (80, 178, 190), horizon, int(shore) + 16)
    for _ in range(34):
        y = rng.uniform(horizon + 4, shore - 4)
        x, long = rng.uniform(-20, WIDTH), 10 + (y - horizon) * 0.5
        draw.line((x, y, x + long, y + rng.uniform(-1, 1)), fill=(190, 224, 232), width=1)
    phase = rng.uniform(0, 6.3)
    for offset, fill in ((0, (238, 246, 246)), (9, (206, 178, 132)), (24, (226, 202, 156))):
        edge = [
            (x, shore + offset + 7 * math.sin(x / 34 + phase) + 4 * math.sin(x / 13 + phase))
            for x in range(-8, WIDTH + 9, 8)
        ]
        draw.polygon([*edge, (WIDTH + 8, HEIGHT), (-8, HEIGHT)], fill=fill)


def alp(draw: Draw, rng: Random) -> None:
    _gradient(draw, (70, 130, 205), (200, 222, 240))
    for y, height, rock in ((190, 110, (120, 135, 160)), (225, 130, (82, 92, 112))):
        points = _ridge(rng, y, height, 3)
        draw.polygon(points, fill=rock)
        for i in range(2, len(points) - 2, 2):
            px, py = points[i]
            cap = (y - py) * 0.5
            zigzag = [
                (px - cap * 0.7 + cap * 0.28 * j, py + cap * (0.8, 1.1)[j % 2]) for j in range(6)
            ]
            draw.polygon([(px, py), *reversed(zigzag)], fill=(244, 248, 252))
    draw.polygon(_ridge(rng, 250, 22, 9), fill=(38, 66, 52))


def balloon(draw: Draw, rng: Random) -> None:
    _gradient(draw, (90, 158, 228), (216, 232, 244))
    draw.polygon(_ridge(rng, 250, 24, 4), fill=(88, 120, 76))
    for scale in (1.0, 0.34):
        x, y = WIDTH * rng.uniform(0.35, 0.65), 104.0
        if scale < 1:
            x, y = WIDTH * rng.choice((0.12, 0.88)), rng.uniform(60, 120)
        wide, tall = 72 * scale, 82 * scale
        stripes = [(208, 44, 48), (246, 196, 52), (44, 92, 176), (246, 240, 228)]
        rng.shuffle(stripes)
        draw.polygon(
            [(x - wide * 0.86, y + tall * 0.5), (x + wide * 0.86, y + tall * 0.5),
             (x + 11 * scale, y + tall * 1.32), (x - 11 * scale, y + tall * 1.32)],
            fill=stripes[0],
        )  # fmt: skip
        for i, part in enumerate((1.0, 0.78, 0.54, 0.28)):
            draw.ellipse((x - wide * part, y - tall, x + wide * part, y + tall), fill=stripes[i])
        for side in (-9, 9):
            draw.line(
                (x + side * scale, y + tall, x + side * 0.8 * scale, y + tall * 1.5),
                fill=(70, 50, 40),
            )
        draw.rectangle(
            (x - 11 * scale, y + tall * 1.45, x + 11 * scale, y + tall * 1.7), fill=(110, 72, 40)
        )


def lighthouse(draw: Draw, rng: Random) -> None:
    _gradient(draw, (120, 170, 214), (226, 232, 232), 0, 190)
    _gradient(draw, (40, 96, 132), (66, 120, 146), 170, HEIGHT)
    x = WIDTH * rng.uniform(0.35, 0.65)
    draw.polygon(
        [(x - 120, HEIGHT), (x - 70, 200), (x + 60, 196), (x + 130, HEIGHT)], fill=(96, 90, 80)
    )
    top, foot = 66.0, 206.0
    for i in range(6):
        y0, y1 = top + (foot - top) * i / 6, top + (foot - top) * (i + 1) / 6
        w0, w1 = 17 + 13 * i / 6, 17 + 13 * (i + 1) / 6
        fill = (200, 40, 44) if i % 2 else (246, 244, 238)
        draw.polygon([(x - w0, y0), (x + w0, y0), (x + w1, y1), (x - w1, y1)], fill=fill)
    draw.rectangle((x - 23, top - 6, x + 23, top), fill=(40, 40, 44))
    draw.rectangle((x - 13, top - 28, x + 13, top - 6), fill=(255, 236, 150))
    draw.polygon([(x - 17, top - 28), (x + 17, top - 28), (x, top - 46)], fill=(160, 30, 36))


def sailboat(draw: Draw, rng: Random) -> None:
    horizon = int(rng.uniform(150, 170))
    _gradient(draw, (150, 196, 232), (236, 240, 240), 0, horizon)
    _gradient(draw, (24, 78, 128), (44, 122, 164), horizon, HEIGHT)
    x, y = WIDTH * rng.uniform(0.38, 0.62), horizon + 28.0
    mast = y - rng.uniform(132, 150)
    draw.polygon([(x + 4, mast), (x + 4, y - 12), (x + 76, y - 12)], fill=(250, 248, 242))
    draw.polygon([(x - 4, mast + 14), (x - 4, y - 12), (x - 54, y - 12)], fill=(232, 230, 224))
    draw.line((x, mast - 6, x, y), fill=(80, 56, 40), width=3)
    hull = [(x - 72, y - 6), (x + 84, y - 6), (x + 58, y + 22), (x - 48, y + 22)]
    draw.polygon(hull, fill=rng.choice([(120, 60, 40), (30, 50, 90), (150, 30, 36)]))
    for _ in range(40):
        wy = rng.uniform(y + 20, HEIGHT)
        wx = rng.uniform(0, WIDTH)
        draw.line((wx, wy, wx + rng.uniform(8, 24), wy), fill=(110, 170, 204), width=1)


def dunes(draw: Draw, rng: Random) -> None:
    _gradient(draw, (120, 176, 226), (236, 226, 204), 0, 130)
    for i in range(4):
        y, phase = 104 + i * 38, rng.uniform(0, 6.3)
        crest = [
            (x, y + 22 * math.sin(x / (70 + 14 * i) + phase)) for x in range(-10, WIDTH + 11, 10)
        ]
        shade = 0.78 + 0.08 * i
        draw.polygon(
            [*crest, (WIDTH + 10, HEIGHT), (-10, HEIGHT)], fill=_shade((226, 176, 112), shade)
        )
        for k in range(1, 7):
            ripple = [(x, cy + k * 6) for x, cy in crest]
            draw.line(ripple, fill=_shade((206, 152, 92), shade), width=1)


def analog_clock(draw: Draw, rng: Random) -> None:
    _gradient(draw, (172, 158, 140), (140, 124, 108))
    x, y, r = (
        WIDTH / 2 + rng.uniform(-24, 24),
        HEIGHT / 2 + rng.uniform(-8, 8),
        rng.uniform(92, 108),
    )
    _disc(draw, x, y, r + 10, rng.choice([(60, 40, 28), (30, 30, 36), (150, 120, 60)]))
    _disc(draw, x, y, r, (248, 246, 238))
    for i in range(60):
        angle = i * math.pi / 30
        inner = r * (0.8 if i % 5 == 0 else 0.91)
        sin, cos = math.sin(angle), math.cos(angle)
        draw.line(
            (x + inner * sin, y + inner * cos, x + r * 0.95 * sin, y + r * 0.95 * cos),
            fill=(20, 20, 24),
            width=4 if i % 5 == 0 else 1,
        )
    hour = rng.uniform(0, 12)
    for turn, long, width in ((hour / 12, 0.5, 6), (hour % 1, 0.76, 4)):
        angle = 2 * math.pi * turn
        draw.line(
            (x, y, x + r * long * math.sin(angle), y - r * long * math.cos(angle)),
            fill=(20, 20, 24),
            width=width,
        )
    _disc(draw, x, y, 6, (160, 30, 30))


def candle(draw: Draw, rng: Random) -> None:
    _gradient(draw, (26, 18, 22), (58, 36, 28))
    for i in range(rng.randint(2, 3)):
        x, top = WIDTH * (0.24 + 0.26 * i) + rng.uniform(-12, 12), rng.uniform(100, 130)
        for step in range(7, 0, -1):
            glow = _mix((255, 190, 80), (48, 30, 26), step / 7.5)
            _disc(draw, x, top - 24, 8 + step * 7, glow)
        draw.rectangle((x - 19, top, x + 19, HEIGHT - 14), fill=(238, 226, 200))
        draw.rectangle((x + 7, top, x + 19, HEIGHT - 14), fill=(208, 190, 158))
        draw.ellipse((x - 19, top - 6, x + 19, top + 6), fill=(252, 240, 206))
        draw.line((x, top, x, top - 12), fill=(30, 20, 20), width=2)
        draw.ellipse((x - 8, top - 36, x + 8, top - 6), fill=(255, 190, 60))
        draw.polygon([(x - 7, top - 26), (x + 7, top - 26), (x, top - 52)], fill=(255, 190, 60))
        draw.ellipse((x - 4, top - 26, x + 4, top - 8), fill=(255, 248, 210))
    draw.rectangle((0, HEIGHT - 16, WIDTH, HEIGHT), fill=(70, 44, 30))


def crossword(draw: Draw, rng: Random) -> None:
    draw.rectangle((0, 0, WIDTH, HEIGHT), fill=(244, 240, 228))
    cell = rng.choice((19, 21, 23))
    ox, oy = rng.randint(-10, 0), rng.randint(-10, 0)
    for gx in range(WIDTH // cell + 2):
        for gy in range(HEIGHT // cell + 2):
            x, y = ox + gx * cell, oy + gy * cell
            if rng.random() < 0.24:
                draw.rectangle((x, y, x + cell, y + cell), fill=(18, 18, 20))
            elif rng.random() < 0.55:
                draw.text((x + cell / 3, y + 4), chr(rng.randint(65, 90)), fill=(40, 44, 90))
            draw.rectangle((x, y, x + cell, y + cell), outline=(40, 40, 44))


def soccer_ball(draw: Draw, rng: Random) -> None:
    _gradient(draw, (72, 140, 62), (44, 104, 40))
    for _ in range(120):
        gx, gy = rng.uniform(0, WIDTH), rng.uniform(0, HEIGHT)
        draw.line((gx, gy, gx + rng.uniform(-3, 3), gy - 9), fill=(98, 168, 80))
    x, y, r = (
        WIDTH / 2 + rng.uniform(-30, 30),
        HEIGHT / 2 + rng.uniform(-10, 10),
        rng.uniform(78, 94),
    )
    draw.ellipse((x - r, y + r * 0.82, x + r, y + r * 1.1), fill=(34, 78, 32))
    _disc(draw, x, y, r, (244, 244, 242))
    turn = rng.uniform(0, 6.3)
    patches = [(0.0, 0.0, 0.3)]
    patches += [(0.74, turn + i * 2 * math.pi / 5, 0.24) for i in range(5)]
    for distance, angle, size in patches:
        px, py = x + r * distance * math.cos(angle), y + r * distance * math.sin(angle)
        pentagon = [
            (px + r * size * math.cos(angle + k * 2 * math.pi / 5),
             py + r * size * math.sin(angle + k * 2 * math.pi / 5))
            for k in range(5)
        ]  # fmt: skip
        if distance:
            draw.line((x, y, px, py), fill=(120, 120, 124), width=2)
        draw.polygon(pentagon, fill=(22, 22, 26))
    draw.ellipse((x - r, y - r, x + r, y + r), outline=(90, 90, 92), width=2)


def traffic_light(draw: Draw, rng: Random) -> None:
    _gradient(draw, (150, 178, 206), (196, 206, 214))
    for _ in range(4):
        bx, top = rng.uniform(-20, WIDTH), rng.uniform(90, 170)
        grey = rng.randint(120, 160)
        draw.rectangle((bx, top, bx + rng.uniform(40, 80), HEIGHT), fill=(grey, grey, grey + 8))
    lit = rng.randrange(3)
    x = WIDTH * rng.uniform(0.4, 0.6)
    draw.rectangle((x - 6, 200, x + 6, HEIGHT), fill=(50, 54, 58))
    draw.rounded_rectangle((x - 36, 20, x + 36, 208), 14, fill=(28, 32, 30))
    bright = ((255, 50, 40), (255, 196, 40), (50, 230, 110))
    for i, colour in enumerate(bright):
        y = 52 + i * 62
        _disc(draw, x, y, 27, (12, 14, 14))
        _disc(draw, x, y, 24, colour if i == lit else _shade(colour, 0.28))


def honeycomb(draw: Draw, rng: Random) -> None:
    draw.rectangle((0, 0, WIDTH, HEIGHT), fill=(120, 70, 16))
    r = rng.uniform(15, 19)
    wide, tall = r * math.sqrt(3), r * 1.5
    ox, oy = rng.uniform(-r, 0), rng.uniform(-r, 0)
    unit = [(math.sin(k * math.pi / 3), math.cos(k * math.pi / 3)) for k in range(6)]
    for row in range(int(HEIGHT / tall) + 3):
        for column in range(int(WIDTH / wide) + 3):
            x, y = ox + (column + 0.5 * (row % 2)) * wide, oy + row * tall
            fill = _mix((236, 164, 40), (176, 104, 22), rng.random())
            draw.polygon([(x + 0.86 * r * a, y + 0.86 * r * b) for a, b in unit], fill=fill)
            _disc(draw, x - 2, y - 2, r * 0.42, _shade(fill, 0.72))


def spider_web(draw: Draw, rng: Random) -> None:
    _gradient(draw, (38, 58, 44), (22, 34, 30))
    for _ in range(14):
        green = rng.randint(50, 90)
        _disc(
            draw,
            rng.uniform(0, WIDTH),
            rng.uniform(0, HEIGHT),
            rng.uniform(12, 34),
            (green - 16, green, green - 22),
        )
    x, y = WIDTH / 2 + rng.uniform(-30, 30), HEIGHT / 2 + rng.uniform(-20, 20)
    spokes = rng.randint(14, 18)
    angles = [2 * math.pi * i / spokes + rng.uniform(-0.06, 0.06) for i in range(spokes)]
    for angle in angles:
        draw.line(
            (x, y, x + 260 * math.cos(angle), y + 260 * math.sin(angle)), fill=(198, 206, 206)
        )
    for ring in range(1, 15):
        r = ring * 11.0
        points = [(x + r * math.cos(a), y + r * math.sin(a)) for a in angles]
        draw.line([*points, points[0]], fill=(216, 222, 222), width=1)


VIEWS: dict[str, Callable[[Draw, Random], None]] = {
    "volcano": volcano,
    "seashore": seashore,
    "alp": alp,
    "balloon": balloon,
    "lighthouse": lighthouse,
    "sailboat": sailboat,
    "dunes": dunes,
}
THINGS: dict[str, Callable[[Draw, Random], None]] = {
    "analog clock": analog_clock,
    "candle": candle,
    "crossword": crossword,
    "soccer ball": soccer_ball,
    "traffic light": traffic_light,
    "honeycomb": honeycomb,
    "spider web": spider_web,
}


def blank() -> tuple[Image.Image, Draw]:
    """An empty image of the sandbox's size, and the pen for it."""
    image = Image.new("RGB", (WIDTH, HEIGHT))
    return image, ImageDraw.Draw(image)
