"""Three engineering designs with mixed parameters and constraints."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

import blackbox as bb
from blackbox.batch import Array, Batch


class PressureVessel(bb.Problem):
    """Cost of a cylindrical vessel (Sandgren 1990): plates come in sixteenths of an inch.

    Best known 6059.714.
    """

    space = bb.Space(
        bb.Integer("shell", 1, 99),
        bb.Integer("head", 1, 99),
        bb.Real("radius", 10, 200),
        bb.Real("length", 10, 200),
    )
    objectives = (bb.Minimize("price"),)
    constraints = (
        bb.Constraint("shell_stress", upper=0),
        bb.Constraint("head_stress", upper=0),
        bb.Constraint("volume", upper=0),
    )

    def evaluate_batch(self, batch: Batch) -> dict[str, Array]:
        """Cost and constraints of every row; the volume as a share of what is required."""
        shell, head = batch["shell"] / 16, batch["head"] / 16
        r, length = batch["radius"], batch["length"]
        volume = np.pi * r**2 * length + 4 / 3 * np.pi * r**3
        return {
            "price": 0.6224 * shell * r * length
            + 1.7781 * head * r**2
            + 3.1661 * shell**2 * length
            + 19.84 * shell**2 * r,
            "shell_stress": 0.0193 * r - shell,
            "head_stress": 0.00954 * r - head,
            "volume": 1 - volume / 1_296_000,
        }


class WeldedBeam(bb.Problem):
    """Cost of a welded beam of four materials, welded along two sides or four.

    The mixed form of Deb and Goyal (1996): weld and thickness come in sixteenths of an inch.
    Stresses as Ragsdell and Phillips (1976); welds are lines (Shigley), so a weld around the
    joint has the polar moment sqrt(2) h (l + t + h)^3 / 12.
    """

    space = bb.Space(
        bb.Integer("weld", 1, 32),
        bb.Integer("thickness", 1, 32),
        bb.Real("overlap", 0.1, 10),
        bb.Real("height", 0.5, 20),
        bb.Categorical("material", ["steel", "cast iron", "aluminium", "brass"]),
        bb.Categorical("sides", ["two", "four"]),
    )
    objectives = (bb.Minimize("price"),)
    constraints = (
        bb.Constraint("shear", upper=0),
        bb.Constraint("bending", upper=0),
        bb.Constraint("buckling", upper=0),
        bb.Constraint("deflection", upper=0),
    )
    #: Price of weld and of bar by volume, yield stress, moduli of elasticity and of shear (psi).
    _materials: ClassVar[dict[str, tuple[float, ...]]] = {
        "steel": (0.1047, 0.0481, 30e3, 30e6, 12e6),
        "cast iron": (0.0489, 0.0224, 8e3, 14e6, 6e6),
        "aluminium": (0.5235, 0.2405, 5e3, 10e6, 4e6),
        "brass": (0.5584, 0.2566, 8e3, 16e6, 6e6),
    }

    def evaluate_batch(self, batch: Batch) -> dict[str, Array]:
        """Cost and constraints of every row, each as a share of what is allowed."""
        load, arm = 6000.0, 14.0
        h, b = batch["weld"] / 16, batch["thickness"] / 16
        l, t = batch["overlap"], batch["height"]  # noqa: E741 - as in the papers
        table = np.array([self._materials[name] for name in batch["material"]])
        weld_price, bar_price, strength, e, g = table.T
        around = batch["sides"] == "four"
        root = np.sqrt(2)
        area = root * h * np.where(around, l + t, l)
        two = root * h * l * ((h + t) ** 2 / 4 + l**2 / 12)
        polar = np.where(around, root * h * (l + t + h) ** 3 / 12, two)
        radius = np.sqrt(l**2 + (h + t) ** 2) / 2
        direct, torsion = load / area, load * (arm + l / 2) * radius / polar
        shear = np.sqrt(direct**2 + direct * torsion * l / radius + torsion**2)
        bending = 6 * load * arm / (t**2 * b)
        buckling = 4.013 * np.sqrt(e * g * t**2 * b**6 / 36) / arm**2
        buckling *= 1 - t / (2 * arm) * np.sqrt(e / (4 * g))
        deflection = 4 * load * arm**3 / (e * t**3 * b)
        return {
            "price": (1 + weld_price) * h**2 * (l + around * t) + bar_price * t * b * (arm + l),
            "shear": shear / (0.577 * strength) - 1,
            "bending": bending / strength - 1,
            "buckling": 1 - buckling / load,
            "deflection": deflection / 0.25 - 1,
        }


class SpeedReducer(bb.Problem):
    """Weight of a gear box (Golinski 1973) with a whole number of teeth; best known 2994.42."""

    space = bb.Space(
        bb.Real("face", 2.6, 3.6),
        bb.Real("module", 0.7, 0.8),
        bb.Integer("teeth", 17, 28),
        bb.Real("length1", 7.3, 8.3),
        bb.Real("length2", 7.3, 8.3),
        bb.Real("shaft1", 2.9, 3.9),
        bb.Real("shaft2", 5.0, 5.5),
    )
    objectives = (bb.Minimize("weight"),)
    constraints = tuple(bb.Constraint(f"g{i}", upper=0) for i in range(1, 12))

    def evaluate_batch(self, batch: Batch) -> dict[str, Array]:
        """Weight and the eleven constraints of every row."""
        names = ("face", "module", "teeth", "length1", "length2", "shaft1", "shaft2")
        b, m, z, l1, l2, d1, d2 = (batch[name].astype(np.float64) for name in names)
        limits = (
            27 / (b * m**2 * z) - 1,
            397.5 / (b * m**2 * z**2) - 1,
            1.93 * l1**3 / (m * z * d1**4) - 1,
            1.93 * l2**3 / (m * z * d2**4) - 1,
            np.sqrt((745 * l1 / (m * z)) ** 2 + 16.9e6) / (110 * d1**3) - 1,
            np.sqrt((745 * l2 / (m * z)) ** 2 + 157.5e6) / (85 * d2**3) - 1,
            m * z / 40 - 1,
            5 * m / b - 1,
            b / (12 * m) - 1,
            (1.5 * d1 + 1.9) / l1 - 1,
            (1.1 * d2 + 1.9) / l2 - 1,
        )
        weight = (
            0.7854 * b * m**2 * (3.3333 * z**2 + 14.9334 * z - 43.0934)
            - 1.508 * b * (d1**2 + d2**2)
            + 7.4777 * (d1**3 + d2**3)
            + 0.7854 * (l1 * d1**2 + l2 * d2**2)
        )
        return {"weight": weight} | {f"g{i}": g for i, g in enumerate(limits, start=1)}
