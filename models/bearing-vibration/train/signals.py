"""The physical model behind ``bearing-vibration``: a machine, its rolling bearing, and a three-axis accelerometer.

Everything the model was trained and judged on is rendered here, from a seed, with NumPy alone. A *machine* is drawn
once (bearing, structure, surroundings, sensor); *windows* are rendered from it, each with its own speed, load and
noise. Sets are split by machine, never by window.

What a faulty bearing does (n elements of diameter d on the pitch diameter D, contact angle a, g = d/D cos a, the inner
ring turns at the shaft rate f, the outer ring stands), in multiples of f:

    cage          FTF  = (1 - g) / 2
    outer race    BPFO = n (1 - g) / 2           = n FTF
    inner race    BPFI = n (1 + g) / 2           = n (1 - FTF)
    element spin  BSF  = D / (2 d) (1 - g^2)     a spot on a ball strikes twice a turn: 2 BSF

Each strike is a short force that rings the structure: a sum of decaying modes with a path of its own to each axis.
How hard it strikes follows the load where it happens. That tells the classes apart without knowing the speed:

    outer   the spot stays at one place of the load zone: strikes of nearly one strength, lines at h BPFO
    inner   the spot turns with the shaft: lines at h BPFI, with sidebands at +- f, and a line at f
    ball    the spot travels with the cage: lines at 2 h BSF (and at odd BSF where the two races ring differently),
            with sidebands at +- FTF, and a line at FTF

Elements slip, so strikes are not exactly periodic, and the cage is up to 2 % slow.

Sources of the formulas: T. A. Harris, *Rolling Bearing Analysis* (kinematics; Stribeck's load distribution);
P. D. McFadden and J. D. Smith, "Model for the vibration produced by a single point defect in a rolling
element bearing", J. Sound and Vibration 96 (1984) (load zone, modulation); R. B. Randall and J. Antoni, "Rolling
element bearing diagnostics - a tutorial", MSSP 25 (2011) (slip, envelope); N. Sawalhi and R. B. Randall, MSSP 25 (2011)
(entry and exit of a spall).
"""

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

LABELS = ("normal", "inner", "outer", "ball")
SAMPLE_RATE_HZ = 12_800
ROWS = 8192
GRAVITY = 9.80665

_LEAD = 1024  # rows rendered before the window, so that it begins amid ringing
_TOTAL = _LEAD + ROWS
_FREQUENCIES = np.fft.rfftfreq(_TOTAL, 1 / SAMPLE_RATE_HZ)
_GRID = 4  # strikes fall on a grid this much finer than the rows
_TIME = (np.arange(_TOTAL) - _LEAD) / SAMPLE_RATE_HZ


class Orders(NamedTuple):
    """Fault frequencies in multiples of the shaft rate; ``bsf`` is an element's spin: it strikes at twice that."""

    bpfo: float
    bpfi: float
    bsf: float
    ftf: float


@dataclass(frozen=True, slots=True)
class Bearing:
    """Geometry; lengths in one unit of your choice.

    SKF 6205: ``Bearing(9, 7.94, 39.04).orders()`` is 3.585, 5.415, 2.357, 0.398.
    """

    elements: int
    ball_diameter: float
    pitch_diameter: float
    contact_deg: float = 0.0

    def orders(self, cage_slip: float = 0.0) -> Orders:
        """Fault frequencies per shaft turn, with a cage that is slower by the fraction ``cage_slip``."""
        ratio = self.ball_diameter / self.pitch_diameter
        g = ratio * np.cos(np.radians(self.contact_deg))
        cage = (1 - g) / 2 * (1 - cage_slip)
        return Orders(
            bpfo=self.elements * cage,
            bpfi=self.elements * (1 - cage),
            bsf=(1 - g * g) / (2 * ratio) * (1 - cage_slip),
            ftf=cage,
        )


@dataclass(frozen=True, slots=True)
class Machine:
    """One machine: what stays the same from window to window.

    Powers are in decibels relative to the broadband noise of the machine (summed over the axes).
    """

    seed: int
    bearing: Bearing
    speed_hz: float
    cage_slip: float
    jitter: float  # of a strike, as a fraction of the time between strikes
    walking: bool  # jitter adds up from strike to strike, or each strike has its own
    load_extent: float  # Stribeck's epsilon: 0.5 = half of the ring carries
    load_floor: float  # how hard an unloaded strike is, relative to the hardest
    ball_asymmetry: float  # strength of a ball's strike on one race relative to the other
    strike_spread: float  # sigma of the logarithm of strength, strike by strike
    spall_turns: float  # entry to exit of a spall, as a part of the time between strikes; 0 = one strike
    rotating_load: float  # modulation of an outer fault at the shaft rate, from imbalance
    pulse_s: float  # width of the force of a strike
    modes_hz: np.ndarray  # [K]
    damping: np.ndarray  # [K], fraction of critical
    paths: (
        np.ndarray
    )  # [4, K, 3]: gain of each mode on each axis, for inner, outer, ball, and everything else
    noise_slope: float  # power of the broadband noise falls as f ** -slope
    structural: float  # part of the noise that rings the modes
    shaft_db: float
    shaft_shape: np.ndarray  # [8, 3] complex: harmonics of the shaft on each axis
    gear_teeth: float  # per shaft turn; 0 = no gear
    gear_turns: float  # rate of the other shaft that modulates the mesh, in shaft turns
    gear_db: float
    gear_depth: float
    belt_order: float  # 0 = no belt
    belt_db: float
    mains_hz: float  # 0 = none
    mains_db: float
    inverter_hz: float  # 0 = none
    inverter_db: float
    knocks_hz: float  # random impacts a second
    knocks_db: float
    loose_order: float  # a knock this many times a turn, from looseness or a rub; 0 = none
    loose_db: float
    flow_order: int  # broadband noise swells this many times a turn; 0 = does not
    flow_depth: float
    orientation: np.ndarray  # [3, 3] rotation
    gains: np.ndarray  # [3]
    noise_rms: float  # m/s2
    offset: np.ndarray  # [3] m/s2: gravity and the sensor's own
    step: float  # of the converter, relative to the noise
    clip: float  # range of the converter, relative to the rms of the vibration; inf = wide enough


@dataclass(frozen=True, slots=True)
class Window:
    """A rendered window.

    Attributes:
        rows: ``[ROWS, 3]`` float32, m/s2.
        label: Index into ``LABELS``.
        speed_hz: Mean shaft rate.
        snr_db: Power of the fault relative to the broadband noise, both summed over the axes and the whole band; NaN
            for a normal window.
        machine: Seed of the machine.
    """

    rows: np.ndarray
    label: int
    speed_hz: float
    snr_db: float
    machine: int


def draw_machine(seed: int) -> Machine:
    """Machine number ``seed``; the same number gives the same machine for ever."""
    rng = np.random.default_rng([seed, 0xBEA])
    modes = int(rng.integers(1, 7))
    base = rng.normal(size=(1, modes, 3)) * np.exp(rng.normal(0, 0.7, (1, modes, 1)))
    paths = base * np.exp(rng.normal(0, 0.35, (4, modes, 1))) + rng.normal(0, 0.25, (4, modes, 3))
    rotation, triangle = np.linalg.qr(rng.normal(size=(3, 3)))
    shaft = np.exp(-rng.uniform(0.2, 1.2) * np.arange(8))[:, None] * np.exp(rng.normal(0, 0.8, (8, 1)))
    return Machine(
        seed=seed,
        bearing=_draw_bearing(rng),
        speed_hz=float(np.exp(rng.uniform(np.log(9), np.log(62)))),
        cage_slip=float(rng.uniform(0, 0.02)),
        jitter=float(0.02 * rng.random() ** 1.5),
        walking=bool(rng.random() < 0.7),
        load_extent=float(rng.uniform(0.3, 0.8)),
        load_floor=float(rng.choice([0.0, rng.uniform(0, 0.4)])),
        ball_asymmetry=float(rng.choice([0.0, rng.uniform(0, 1), 1.0], p=[0.2, 0.6, 0.2])),
        strike_spread=float(rng.uniform(0, 0.25)),
        spall_turns=float(rng.choice([0.0, rng.uniform(0.03, 0.2)], p=[0.8, 0.2])),
        rotating_load=float(rng.choice([0.0, rng.uniform(0, 0.2)])),
        pulse_s=float(10 ** rng.uniform(-5.5, -4.0)),
        modes_hz=np.exp(rng.uniform(np.log(500), np.log(6200), modes)),
        damping=np.exp(rng.uniform(np.log(0.006), np.log(0.12), modes)),
        paths=paths,
        noise_slope=float(rng.uniform(-0.4, 1.8)),
        structural=float(rng.uniform(0, 0.8)),
        shaft_db=float(rng.uniform(-18, 18)),
        shaft_shape=shaft * (rng.normal(size=(8, 3)) + 1j * rng.normal(size=(8, 3))),
        gear_teeth=float(_sometimes(rng, 0.35, rng.integers(13, 71) * rng.choice([1, rng.uniform(0.3, 3)]))),
        gear_turns=float(rng.choice([1.0, rng.uniform(0.2, 4)])),
        gear_db=float(rng.uniform(-14, 8)),
        gear_depth=float(rng.uniform(0, 0.5)),
        belt_order=float(_sometimes(rng, 0.2, rng.uniform(0.15, 0.7))),
        belt_db=float(rng.uniform(-15, 10)),
        mains_hz=float(_sometimes(rng, 0.5, rng.choice([50, 60]) * rng.uniform(0.995, 1.005))),
        mains_db=float(rng.uniform(-20, 8)),
        inverter_hz=float(_sometimes(rng, 0.12, rng.uniform(1500, 6000))),
        inverter_db=float(rng.uniform(-20, 0)),
        knocks_hz=float(_sometimes(rng, 0.4, np.exp(rng.uniform(np.log(0.7), np.log(20))))),
        knocks_db=float(rng.uniform(-12, 8)),
        loose_order=float(_sometimes(rng, 0.1, rng.choice([0.5, 1, 2], p=[0.15, 0.7, 0.15]))),
        loose_db=float(rng.uniform(-14, 2)),
        flow_order=int(_sometimes(rng, 0.2, rng.integers(1, 3))),
        flow_depth=float(rng.uniform(0.05, 0.5)),
        orientation=rotation * np.sign(np.diag(triangle)),
        gains=rng.uniform(0.85, 1.15, 3),
        noise_rms=float(10 ** rng.uniform(-1.7, 1.5)),
        offset=_draw_offset(rng),
        step=float(10 ** rng.uniform(-3, 0)),
        clip=float(rng.choice([np.inf, rng.uniform(2.2, 5)], p=[0.88, 0.12])),
    )


def _sometimes(rng: np.random.Generator, probability: float, value: float) -> float:
    return value if rng.random() < probability else 0.0


def _draw_bearing(rng: np.random.Generator) -> Bearing:
    elements = int(rng.integers(6, 17))
    # Neighbours must not touch: d/D < sin(pi/n). A third of the machines ignore that: other people's models do.
    fitting = min(rng.uniform(0.55, 0.97) * np.sin(np.pi / elements), 0.36)
    ratio = fitting if rng.random() < 0.67 else rng.uniform(0.11, 0.34)
    contact = rng.uniform(5, 40) if rng.random() < 0.4 else 0.0
    return Bearing(elements, float(ratio), 1.0, float(contact))


def _draw_offset(rng: np.random.Generator) -> np.ndarray:
    down = rng.normal(size=3)
    gravity = GRAVITY * down / np.linalg.norm(down) * rng.choice([0, 1], p=[0.3, 0.7])
    return gravity + rng.normal(0, 0.3, 3)


def turned(machine: Machine, seed: int) -> Machine:
    """The same machine with its sensor mounted another way."""
    rotation, triangle = np.linalg.qr(np.random.default_rng([seed, 0x707]).normal(size=(3, 3)))
    return replace(machine, orientation=rotation * np.sign(np.diag(triangle)))


def render(
    machine: Machine,
    label: int,
    seed: int,
    *,
    snr_db: float | None = None,
    snr_range: tuple[float, float] = (-10.0, 14.0),
) -> Window:
    """One window of ``machine`` with the fault ``label`` (index into ``LABELS``).

    The window's own draw (speed within 20 % of the machine's, drift, severity, noise) follows from the machine's seed,
    ``label`` and ``seed``. ``snr_db`` settles the severity; without it, it is uniform in ``snr_range``.
    """
    rng = np.random.default_rng([machine.seed, label, seed, 0x5E])
    wanted = float(rng.uniform(*snr_range))
    wanted = wanted if snr_db is None else snr_db
    speed = float(np.clip(machine.speed_hz * rng.uniform(0.8, 1.2), 8, 65))
    turns = _shaft_turns(speed, rng)

    noise = _noise(machine, turns, rng)
    vibration = noise + _surroundings(machine, speed, turns, rng)
    if label:
        fault = _fault(machine, LABELS[label], turns, rng)
        # Only what falls into the window counts.
        vibration += fault * np.sqrt(10 ** (wanted / 10) / max(_power(fault), 1e-12))
    return Window(
        rows=_sense(machine, vibration[:, _LEAD:], rng),
        label=label,
        speed_hz=speed,
        snr_db=wanted if label else float("nan"),
        machine=machine.seed,
    )


def _power(signal: np.ndarray) -> float:
    """Of the window, summed over the axes."""
    return float((signal[:, _LEAD:] ** 2).mean(axis=1).sum())


def _at(signal: np.ndarray, decibels: float) -> np.ndarray:
    return signal * np.sqrt(10 ** (decibels / 10) / max(_power(signal), 1e-12))


def _shaft_turns(speed: float, rng: np.random.Generator) -> np.ndarray:
    """Angle of the shaft in turns, ``[_TOTAL]``: the mean speed, a slow drift, a slow swing."""
    drift = rng.normal(0, 0.012) * _TIME
    swing = rng.uniform(0, 0.005) * np.sin(2 * np.pi * (rng.uniform(0.3, 2.5) * _TIME + rng.random()))
    return np.cumsum(speed * (1 + drift + swing)) / SAMPLE_RATE_HZ


def _strikes(
    machine: Machine, order: float, turns: np.ndarray, rng: np.random.Generator, jitter: float
) -> np.ndarray:
    """Times of strikes that come ``order`` times a turn, s."""
    passed = order * (turns - turns[0])
    count = int(passed[-1]) + 2
    noise = rng.normal(0, jitter, count)
    events = rng.random() + np.arange(count) + (np.cumsum(noise) if machine.walking else 2 * noise)
    events = events[(events > 0) & (events < passed[-1])]
    return np.interp(events, passed, _TIME)


def _load(machine: Machine, angle_turns: np.ndarray) -> np.ndarray:
    """Stribeck: the load at an angle from the middle of the load zone, 0 to 1, above the machine's floor."""
    carried = 1 - (1 - np.cos(2 * np.pi * angle_turns)) / (2 * machine.load_extent)
    return machine.load_floor + (1 - machine.load_floor) * np.maximum(carried, 0) ** 1.5


def _fault(machine: Machine, kind: str, turns: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Vibration of a fault, ``[3, _TOTAL]``, of no particular strength."""
    orders = machine.bearing.orders(machine.cage_slip)
    start = rng.random()
    if kind == "outer":
        order = orders.bpfo
        times = _strikes(machine, order, turns, rng, machine.jitter)
        at = np.interp(times, _TIME, turns)
        strength = 1 + machine.rotating_load * np.cos(2 * np.pi * (at + start))
    elif kind == "inner":
        order = orders.bpfi
        times = _strikes(machine, order, turns, rng, machine.jitter)
        strength = _load(machine, np.interp(times, _TIME, turns) + start)
    else:
        order = 2 * orders.bsf
        times = _strikes(machine, order, turns, rng, machine.jitter)
        strength = _load(machine, orders.ftf * np.interp(times, _TIME, turns) + start)
        strength[::2] *= machine.ball_asymmetry
    strength = strength * np.exp(rng.normal(0, machine.strike_spread, times.size))
    if machine.spall_turns:
        gap = machine.spall_turns / (order * (turns[-1] - turns[0]) / (_TIME[-1] - _TIME[0]))
        times, strength = np.concatenate([times, times + gap]), np.concatenate([0.5 * strength, strength])
    return _ring(machine, times, strength, LABELS.index(kind) - 1)


def _ring(machine: Machine, times: np.ndarray, strength: np.ndarray, path: int) -> np.ndarray:
    """What strikes at ``times`` do on the three axes, ``[3, _TOTAL]``.

    A mode answers a force with the acceleration ``f^2 / (f_k^2 - f^2 + 2 j z f f_k)``. A force is a pulse: a low pass.
    """
    place = np.rint((times - _TIME[0]) * SAMPLE_RATE_HZ * _GRID).astype(int)
    inside = (place >= 0) & (place < _TOTAL * _GRID)
    force = np.bincount(place[inside], strength[inside], _TOTAL * _GRID)
    spectrum = np.fft.rfft(force)[: _FREQUENCIES.size]
    spectrum = spectrum * np.exp(-((np.pi * _FREQUENCIES * machine.pulse_s) ** 2))
    return np.fft.irfft(spectrum * _answer(machine, path), _TOTAL)


def _answer(machine: Machine, path: int) -> np.ndarray:
    f, mode = _FREQUENCIES[None], machine.modes_hz[:, None]
    each = f**2 / (mode**2 - f**2 + 2j * machine.damping[:, None] * f * mode)
    # A lightly damped mode would drown the others.
    return machine.paths[path].T @ (each * np.sqrt(machine.damping[:, None]))


def _noise(machine: Machine, turns: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Broadband noise of power 1: coloured on each axis, and the structure's answer to a noise of its own."""
    bins = _FREQUENCIES.size
    white = rng.standard_normal((4, bins)) + 1j * rng.standard_normal((4, bins))
    colour = np.maximum(_FREQUENCIES, 40.0) ** (-machine.noise_slope / 2)
    noise = _at(np.fft.irfft(white[:3] * colour, _TOTAL), 0) * np.sqrt(1 - machine.structural)
    ringing = _at(np.fft.irfft(white[3] * _answer(machine, 3), _TOTAL), 0) * np.sqrt(machine.structural)
    noise = noise + ringing
    if machine.flow_order:
        swell = np.cos(2 * np.pi * (machine.flow_order * turns + rng.random()))
        noise *= 1 + machine.flow_depth * swell
    return _at(noise, 0)


def _surroundings(machine: Machine, speed: float, turns: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Everything that healthy machines do too, ``[3, _TOTAL]``."""
    first = np.exp(2j * np.pi * (turns + rng.random()))
    harmonics = np.cumprod(np.broadcast_to(first, (8, _TOTAL)), axis=0)
    found = _at((machine.shaft_shape.T @ harmonics).real, machine.shaft_db + rng.normal(0, 2))
    direction = rng.normal(size=(3, 3))
    if machine.gear_teeth:
        found += _at(_gear(machine, speed, turns, rng), machine.gear_db)
    if machine.belt_order:
        waves = [_wave(h * machine.belt_order * turns, rng) / h for h in (1, 2, 3)]
        found += _at(direction[:1].T * sum(waves), machine.belt_db)
    if machine.mains_hz:
        waves = [_wave(h * machine.mains_hz * _TIME, rng) * rng.exponential() for h in (1, 2, 2, 3, 4, 6)]
        found += _at(direction[1:2].T * sum(waves), machine.mains_db)
    if machine.inverter_hz:
        line = rng.uniform(15, 65)
        sides = (machine.inverter_hz + k * line for k in (-4, -2, 0, 2, 4))
        waves = [_wave(side * _TIME, rng) * rng.exponential() for side in sides]
        found += _at(direction[2:].T * sum(waves), machine.inverter_db)
    if machine.knocks_hz:
        count = rng.poisson(machine.knocks_hz * _TOTAL / SAMPLE_RATE_HZ)
        if count:
            times = rng.uniform(_TIME[0], _TIME[-1], count)
            knocks = _ring(machine, times, rng.standard_normal(count) * rng.exponential(1, count), 3)
            share = count / (machine.knocks_hz * _TOTAL / SAMPLE_RATE_HZ)
            found += _at(knocks, min(machine.knocks_db + 10 * np.log10(share), 12))
    if machine.loose_order:
        times = _strikes(machine, machine.loose_order, turns, rng, 0.004)
        strength = np.exp(rng.normal(0, 0.25, times.size))
        found += _at(_ring(machine, times, strength, 3), machine.loose_db)
    return found


def _wave(phase_turns: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return np.cos(2 * np.pi * (phase_turns + rng.random()))


def _gear(machine: Machine, speed: float, turns: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A mesh and its harmonics below half the sampling rate, swelling with a shaft."""
    swell = 1 + machine.gear_depth * _wave(machine.gear_turns * turns, rng)
    mesh = np.zeros((3, _TOTAL))
    for harmonic in range(1, 5):
        if harmonic * machine.gear_teeth * speed < 0.47 * SAMPLE_RATE_HZ:
            wave = _wave(harmonic * machine.gear_teeth * turns, rng)
            mesh += rng.normal(size=(3, 1)) / harmonic**0.7 * swell * wave
    return mesh


def _sense(machine: Machine, vibration: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """What the accelerometer gives, ``[ROWS, 3]`` m/s2: turned, unequal gains, offset, range, steps."""
    # Power 1 is the sum of three axes.
    scale = machine.noise_rms * np.sqrt(3)
    seen = machine.orientation @ vibration * scale * machine.gains[:, None]
    limit = machine.clip * np.sqrt((seen**2).mean())
    seen = np.clip(seen, -limit, limit) + machine.offset[:, None]
    step = machine.step * machine.noise_rms
    return (np.round((seen + rng.uniform(-0.5, 0.5) * step) / step) * step).T.astype(np.float32)
