"""Articulated people: the foregrounds a matting network must know best (TRAINING: without them the error rises by half)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from models.training.procedural.fields import Array, colour, hair_colour, skin, value_noise
from models.training.procedural.hair import hairdo, hat
from models.training.procedural.raster import Canvas, Shape, ellipse, shading, spline, tube, wobble
from models.training.procedural.textures import cloth

FRAMINGS = {"full": 7.7, "half": 4.4, "bust": 2.9, "head": 1.75}  # heads visible from the crown down


@dataclass(frozen=True)
class Body:
    """Joints of one person in pixels, and the measures everything else is scaled by."""

    unit: float  # height of the head
    head: Array  # centre (2,)
    neck: Array
    shoulders: Array  # (2, 2): left and right of the picture
    waist: Array
    hips: Array  # (2, 2)
    arms: Array  # (2, 3, 2): elbow, wrist, finger tip
    legs: Array  # (2, 3, 2): knee, ankle, toe
    width: float  # half the width of the shoulders in units
    girth: float
    side: float  # -1 or 1 when seen from the side, else 0
    back: bool


def _pose(rng: np.random.Generator, framing: str) -> dict[str, Array | float]:
    """Joint positions in heads, x from the middle, y down from the crown."""
    side = float(rng.choice([0, 0, 0, -1, 1]))
    girth = rng.uniform(0.75, 1.4)
    width = rng.uniform(0.72, 1.0) * (0.5 if side else 1.0) * (0.85 + 0.15 * girth)
    lean = rng.normal(0, 0.06)
    neck = np.array([side * 0.06, 1.22])
    drop = rng.normal(0, 0.07)
    shoulders = np.array([[-width, 1.55 + drop], [width, 1.55 - drop]])
    waist = np.array([rng.normal(0, 0.08), 2.85])
    hip = width * rng.uniform(0.55, 0.75)
    hips = np.array([[-hip, 3.65], [hip, 3.65]])
    arms = np.zeros((2, 3, 2))
    for i, sign in enumerate((-1.0, 1.0)):
        kind = rng.choice(["down", "hip", "up", "front", "out"], p=[0.42, 0.14, 0.12, 0.22, 0.10])
        upper, lower = {  # angles from straight down, outwards
            "down": (rng.normal(0.16, 0.12), rng.normal(0.05, 0.15)),
            "hip": (rng.uniform(0.5, 0.9), rng.uniform(-0.9, -0.5)),
            "up": (rng.uniform(1.6, 2.8), rng.uniform(2.2, 3.6)),
            "front": (rng.normal(0.15, 0.15), rng.uniform(-2.4, -1.2)),
            "out": (rng.uniform(0.8, 1.6), rng.uniform(0.6, 2.0)),
        }[str(kind)]
        turn = sign if not side else side * (1 if rng.random() < 0.8 else -1)
        elbow = shoulders[i] + 1.3 * np.array([turn * np.sin(upper), np.cos(upper)])
        wrist = elbow + 1.15 * np.array([turn * np.sin(lower), np.cos(lower)])
        tip = wrist + 0.62 * np.array([turn * np.sin(lower + rng.normal(0, 0.3)), np.cos(lower)])
        arms[i] = elbow, wrist, tip
    legs = np.zeros((2, 3, 2))
    spread = rng.uniform(0.0, 0.35) + (0.4 if rng.random() < 0.15 else 0)
    for i, sign in enumerate((-1.0, 1.0)):
        a, b = sign * spread * rng.uniform(0.3, 1.2), sign * spread * rng.uniform(-0.4, 1)
        knee = hips[i] * [0.8, 1] + 1.75 * np.array([np.sin(a), np.cos(a)])
        ankle = knee + 1.7 * np.array([np.sin(b), np.cos(b)])
        toe = ankle + np.array([0.45 * side if side else 0.18 * sign, 0.28])
        legs[i] = knee, ankle, toe
    turn = np.array([[np.cos(lean), -np.sin(lean)], [np.sin(lean), np.cos(lean)]])
    pivot = np.array([0.0, 3.6])
    tilt = rng.normal(0, 0.12)
    head = neck + 0.72 * np.array([np.sin(tilt) + side * 0.12, -np.cos(tilt)])

    def bent(p: Array) -> Array:
        return np.asarray((p - pivot) @ turn.T + pivot, np.float32)

    return {"side": side, "girth": girth, "width": width, "head": bent(head), "neck": bent(neck), "shoulders": bent(shoulders),
            "waist": bent(waist), "hips": np.asarray(hips, np.float32), "arms": bent(arms), "legs": np.asarray(legs, np.float32),
            }  # fmt: skip


def _body(rng: np.random.Generator, size: int, framing: str) -> Body:
    pose = _pose(rng, framing)
    depth = FRAMINGS[framing] * rng.uniform(0.9, 1.1)
    above = rng.uniform(0.3, 0.6)
    joints = np.concatenate([np.asarray(pose[k]).reshape(-1, 2) for k in ("arms", "shoulders", "head")])
    shown = joints[joints[:, 1] < depth]
    above = max(above, 0.25 - shown[:, 1].min()) if len(shown) else above
    reach = max(1.0, float(np.abs(shown[:, 0]).max()) + 0.45) if framing != "head" else 1.0
    unit = size * min(1.0 / (above + depth), 0.495 / reach)
    origin = np.array([size / 2, size - depth * unit])

    def place(name: str) -> Array:
        return np.asarray(np.asarray(pose[name]) * unit + origin, np.float32)

    return Body(unit, place("head"), place("neck"), place("shoulders"), place("waist"), place("hips"), place("arms"),
                place("legs"), float(np.asarray(pose["width"])), float(np.asarray(pose["girth"])),
                float(np.asarray(pose["side"])), rng.random() < 0.15)  # fmt: skip


class _Tailor:
    """Cuts shapes out of one cloth and sews them onto the canvas."""

    def __init__(
        self, rng: np.random.Generator, canvas: Canvas, unit: float, texture: Array, folds: float = 1.0
    ) -> None:
        self.rng, self.canvas, self.unit, self.texture, self.folds = rng, canvas, unit, texture, folds

    def sew(self, shapes: list[Shape], gain: float = 1.0) -> None:
        where = self.canvas.stencil(shapes)
        if where is None:
            return
        shade = shading(self.rng, where.mask, self.canvas.light, self.folds, self.unit) * gain
        cloth_here = self.texture if self.texture.ndim == 1 else self.texture[where.window]
        self.canvas.paint(where, cloth_here * shade[..., None])


def _hand(rng: np.random.Generator, wrist: Array, tip: Array, r: float) -> list[Shape]:
    along = tip - wrist
    across = np.array([-along[1], along[0]])
    palm = wrist + 0.45 * along
    fingers: list[Shape] = [tube([wrist, palm, wrist + 0.6 * along], [r * 0.75, r * 1.15, r * 0.9])]
    spread = rng.uniform(0.1, 0.5)
    for k in (-1.5, -0.5, 0.5, 1.5):
        base = palm + 0.22 * k * across * (0.5 + 0.3 * spread)
        end = base + along * rng.uniform(0.4, 0.58) + across * 0.22 * k * spread
        fingers.append(tube([base, 0.5 * (base + end), end], [r * 0.33, r * 0.3, r * 0.24]))
    thumb = palm + rng.choice([-1, 1]) * 0.5 * across + 0.1 * along
    fingers.append(tube([wrist + 0.2 * along, thumb, thumb + 0.15 * along], [r * 0.4, r * 0.33, r * 0.26]))
    return fingers


def _torso(body: Body, loose: float, bottom: float) -> Array:
    """Outline of a garment from the neck to `bottom` (0 waist, 1 hips, more: below), `loose` in units."""
    u, g = body.unit, body.girth
    left, right = body.shoulders
    mid_hip, span = body.hips.mean(0), body.hips[1, 0] - body.hips[0, 0]
    chest = 0.5 * (body.neck + body.waist)
    half_chest = (body.width * 0.86 * (0.8 + 0.2 * g) + loose) * u
    half_waist = (body.width * 0.74 * g + loose) * u
    half_hip = span / 2 + (0.22 * g + loose) * u
    low = mid_hip + np.array([0, (bottom - 1) * 0.9 * u])
    neck = 0.24 * u
    points = [body.neck + [-neck, -0.02 * u], left + [0.25 * u, -0.16 * u], left + [-0.08 * u, 0.05 * u],
              chest + [-half_chest, 0], body.waist + [-half_waist, 0], low + [-half_hip, 0], low + [half_hip, 0],
              body.waist + [half_waist, 0], chest + [half_chest, 0], right + [0.08 * u, 0.05 * u],
              right + [-0.25 * u, -0.16 * u], body.neck + [neck, -0.02 * u]]  # fmt: skip
    return spline(np.asarray(points, np.float32), 6, closed=True)


def _arm(body: Body, i: int, end: float, r0: float, r1: float) -> Shape:
    """Sleeve or bare arm down to `end` (1 elbow, 2 wrist)."""
    u = body.unit
    chain = [body.shoulders[i] + [0.0, 0.06 * u], body.arms[i, 0], body.arms[i, 1]]
    t = np.linspace(0, end, 5)
    points = [
        chain[min(int(k), 1)] + (chain[min(int(k), 1) + 1] - chain[min(int(k), 1)]) * (k - min(int(k), 1)) for k in t
    ]
    bulge = [1.0, 0.92, 0.86, 0.9, 1.0]
    radii = [(r0 + (r1 - r0) * k / 2) * u * b for k, b in zip(t, bulge, strict=True)]
    return tube(np.asarray(points, np.float32), radii)


def _face(rng: np.random.Generator, canvas: Canvas, body: Body, tone: Array) -> None:
    u, (x, y) = body.unit, body.head
    shift = 0.16 * u * (body.side if body.side else rng.normal(0, 0.4))
    ink = _Tailor(rng, canvas, u, tone * rng.uniform(0.2, 0.5), 0)
    for sign in (-1, 1):
        ex, ey = x + shift + sign * 0.155 * u, y + 0.02 * u
        _Tailor(rng, canvas, u, np.float32([0.9, 0.88, 0.86]), 0).sew([ellipse(ex, ey, 0.062 * u, 0.03 * u)])
        _Tailor(rng, canvas, u, hair_colour(rng) * 0.5, 0).sew([ellipse(ex, ey, 0.028 * u, 0.03 * u)])
        ink.sew([tube([[ex - 0.09 * u, ey - 0.075 * u], [ex, ey - 0.1 * u], [ex + 0.09 * u, ey - 0.07 * u]],
                      [0.012 * u, 0.02 * u, 0.01 * u])])  # fmt: skip
    nose = [[x + shift * 1.15, y + 0.02 * u], [x + shift * 1.4, y + 0.16 * u]]
    _Tailor(rng, canvas, u, tone * 0.85, 0).sew([tube(nose, [0.02 * u, 0.05 * u])])
    mouth = np.clip(tone * [1.0, 0.6, 0.6], 0, 1)
    wide = rng.uniform(0.08, 0.14) * u
    smile = rng.normal(0, 0.02) * u
    _Tailor(rng, canvas, u, mouth, 0).sew([tube([[x + shift - wide, y + 0.27 * u - smile], [x + shift, y + 0.27 * u + smile],
                                                 [x + shift + wide, y + 0.27 * u - smile]], [0.01 * u, 0.03 * u, 0.01 * u])])  # fmt: skip
    if rng.random() < 0.2:
        _Tailor(rng, canvas, u, colour(rng) * 0.4, 0).sew(
            [ellipse(x + shift + s * 0.16 * u, y + 0.03 * u, 0.12 * u, 0.09 * u) for s in (-1, 1)]
            + [tube([[x - 0.36 * u, y], [x + 0.36 * u, y]], [0.012 * u] * 2)]
        )


def _below(rng: np.random.Generator, canvas: Canvas, body: Body, texture: Array, tone: Array) -> None:
    """Legs, trousers or skirt, shoes."""
    u = body.unit
    kind = rng.choice(["trousers", "shorts", "skirt", "long skirt"], p=[0.64, 0.12, 0.14, 0.10])
    bare = _Tailor(rng, canvas, u, tone, 0.2)
    dress = _Tailor(rng, canvas, u, texture, rng.uniform(0.4, 1.4))
    shoes = _Tailor(rng, canvas, u, colour(rng) * rng.uniform(0.2, 1), 0.2)
    loose = rng.uniform(0.0, 0.12)
    for i in (0, 1):
        hip, (knee, ankle, toe) = body.hips[i] * [1, 1], body.legs[i]
        hip = hip + 0.25 * (body.hips.mean(0) - hip)
        if kind != "trousers":
            bare.sew([tube([hip, knee, 0.6 * knee + 0.4 * ankle, ankle], [0.34 * u, 0.21 * u, 0.21 * u, 0.1 * u])])
        shoes.sew([tube([ankle + [0, 0.1 * u], toe], [0.14 * u, 0.1 * u])])
        if kind in ("trousers", "shorts"):
            end = ankle if kind == "trousers" else 0.6 * hip + 0.4 * knee + [0, 0.5 * u]
            mid = 0.5 * (hip + end) if kind == "shorts" else knee
            r = [0.36 * u * body.girth**0.5, (0.25 + loose) * u, (0.15 + loose) * u if kind == "trousers" else 0.32 * u]
            dress.sew([tube([hip, mid, end], r)])
    if kind.endswith("skirt"):
        length, flare = (
            (rng.uniform(2.2, 3.2) if kind == "long skirt" else rng.uniform(0.9, 1.8)),
            rng.uniform(0.0, 0.7),
        )
        a, b = body.hips
        low = np.array([0, length * u])
        out = np.array([(flare + 0.15) * u, 0])
        dress.sew([spline(np.stack([body.waist + [-0.5 * u, 0], a - [0.2 * u, 0], a + low - out, b + low + out,
                                    b + [0.2 * u, 0], body.waist + [0.5 * u, 0]]), 6, closed=True)])  # fmt: skip


def person(rng: np.random.Generator, size: int, framing: str | None = None) -> tuple[Array, bool]:
    """One dressed person as straight RGBA (size, size, 4), and whether the lower edge of the picture cuts it off."""
    framing = framing or str(rng.choice(list(FRAMINGS), p=[0.34, 0.33, 0.25, 0.08]))
    body = _body(rng, size, framing)
    u = body.unit
    light = np.array([rng.normal(0, 0.6), rng.normal(-0.5, 0.4), 0.9], np.float32)
    canvas = Canvas(size, size, light / np.linalg.norm(light), wobble(rng, 0.035 * u, 0.9 * u))
    tone, locks = skin(rng), hair_colour(rng)
    top = cloth(rng, size, size, u)
    bottom = cloth(rng, size, size, u, "plain" if rng.random() < 0.6 else None)
    loose, sleeve = rng.uniform(0.0, 0.22), rng.choice([0.0, 0.7, 1.9], p=[0.12, 0.3, 0.58])
    bare = _Tailor(rng, canvas, u, tone, 0.15)
    wear = _Tailor(rng, canvas, u, top, rng.uniform(0.5, 1.6))
    behind = [i for i in (0, 1) if rng.random() < 0.4] if not body.side else [int(rng.integers(0, 2))]
    style = hairdo(rng)
    style.back(rng, canvas, body.head, u, locks)

    def arm(i: int, gain: float) -> None:
        bare.sew([_arm(body, i, 2.0, 0.19 * body.girth**0.5, 0.1)], gain)
        bare.sew(_hand(rng, body.arms[i, 1], body.arms[i, 2], 0.13 * u), gain)
        if sleeve:
            r0 = (0.2 + 0.5 * loose) * body.girth**0.5
            wear.sew([_arm(body, i, sleeve, r0, 0.12 + 0.5 * loose)], gain)

    for i in behind:
        arm(i, 0.85)
    _below(rng, canvas, body, bottom, tone)
    bare.sew([tube([body.neck + [0, 0.35 * u], body.neck, body.head], [0.34 * u, 0.22 * u, 0.24 * u])], 0.85)
    long_coat = rng.random() < 0.18
    wear.sew([_torso(body, loose * 0.6, rng.uniform(2.2, 3.6) if long_coat else rng.uniform(0.7, 1.25))])
    if rng.random() < 0.3 and not body.back:  # open collar or jacket over a shirt
        deep = rng.uniform(0.3, 2.2) * u
        inner = _Tailor(rng, canvas, u, tone if rng.random() < 0.4 else colour(rng), 0.5)
        inner.sew(
            [
                np.stack(
                    [body.neck + [-0.25 * u, 0], body.neck + [rng.normal(0, 0.1) * u, deep], body.neck + [0.25 * u, 0]]
                )
            ]
        )
        if rng.random() < 0.3:
            _Tailor(rng, canvas, u, colour(rng), 0.3).sew(
                [tube([body.neck + [0, 0.1 * u], body.neck + [0, deep]], [0.05 * u, 0.09 * u])]
            )
    if rng.random() < 0.4:  # light and dirt differ from fold to fold
        glow = 1 + 0.12 * value_noise(rng, size, size, 0.6 * u)
        canvas.rgb *= glow[..., None]
    for i in (0, 1):
        if i not in behind:
            arm(i, 1.0)
    wide = rng.uniform(0.34, 0.4) * u
    jaw = rng.uniform(0.6, 0.85)
    hx, hy = body.head
    skull = np.array([[hx - wide, hy - 0.05 * u], [hx - 0.92 * wide, hy + 0.2 * u], [hx - jaw * 0.6 * wide, hy + 0.42 * u],
                      [hx, hy + 0.5 * u], [hx + jaw * 0.6 * wide, hy + 0.42 * u], [hx + 0.92 * wide, hy + 0.2 * u],
                      [hx + wide, hy - 0.05 * u], [hx + 0.8 * wide, hy - 0.36 * u], [hx, hy - 0.5 * u],
                      [hx - 0.8 * wide, hy - 0.36 * u]], np.float32)  # fmt: skip
    if body.side:
        skull[:, 0] += 0.05 * u * body.side
    ears: list[Shape] = [ellipse(hx + s * wide, hy + 0.03 * u, 0.06 * u, 0.11 * u) for s in (-1, 1)]
    bare.sew([spline(skull, 6, closed=True), *([] if body.side else ears)])
    if not body.back:
        _face(rng, canvas, body, tone)
    style.front(rng, canvas, body.head, u, locks, body.back)
    if rng.random() < 0.14:
        hat(rng, canvas, body.head, u)
    return canvas.straight(), True if framing != "full" else bool(canvas.alpha[-2:].max() > 0.5)
