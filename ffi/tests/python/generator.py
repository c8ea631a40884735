"""An invented day, the same for the same seed. Nobody in it exists; NHS numbers are from the 999 range, which is never
issued."""

import random

GIVEN = ["Amina", "Bilal", "Carys", "David", "Esther", "Farid", "Grace", "Hamza", "Ines", "Joseph", "Karima", "Łukasz"]
FAMILY = ["Khan", "Okafor", "Jones", "Nowak", "Ahmed", "O'Brien", "Patel", "Hussain", "Evans", "Mbeki", "Żak", "de Souza"]


def nhs_number(dice):
    """Nine digits from 999 and their check digit, modulo 11; some nine digits have none."""
    while True:
        digits = [9, 9, 9] + [dice.randrange(10) for _ in range(6)]
        check = 11 - sum(digit * weight for digit, weight in zip(digits, range(10, 1, -1))) % 11
        if check != 10:
            return "".join(map(str, digits + [check % 11]))


def person(dice):
    return {
        "name": {"given": dice.choice(GIVEN), "family": dice.choice(FAMILY)},
        "date_of_birth": f"{dice.randrange(1940, 2000)}-{dice.randrange(1, 13):02}-{dice.randrange(1, 29):02}",
        "nhs_number": nhs_number(dice),
        "sex": dice.choice(["female", "male"]),
    }


def reading(dice, at, **values):
    usual = {"systolic": dice.randrange(105, 178), "diastolic": dice.randrange(62, 104), "pulse": dice.randrange(58, 96)}
    place = {"arm": dice.choice(["left", "right"]), "position": "sitting", "setting": "clinic"}
    return {"taken_at": at, **usual, **place, **values}


def line(dice, number=0, site="Masjid Al-Noor", **values):
    """One contact; `values` replace those of its first reading."""
    at = f"2026-11-20T{10 + number // 12 % 12:02}:{number % 12 * 5:02}"
    readings = [reading(dice, f"{at}:30Z", **values)]
    if dice.random() < 0.4:
        readings.append(reading(dice, f"{at}:50Z"))
    return {
        "session": {"site": site, "date": "2026-11-20", "setting": "pop_up"},
        "person": None if dice.random() < 0.15 else person(dice),
        "contact": {
            "started_at": f"{at}:00Z",
            "reason": "walk_up",
            "check_type": "bp_only",
            "bp": {"readings": readings},
        },
    }


def day(seed, count):
    dice = random.Random(seed)
    return [line(dice, number) for number in range(count)]
