"""An invented day, the same for the same seed. Nobody in it exists; NHS numbers are from the 999 range, which is never
issued."""

import random

from wayside import BloodPressure, Check, Contact, Name, NhsNumber, Person, Reading, Session, WhichPerson, WhichSession

GIVEN = ["Amina", "Bilal", "Carys", "David", "Esther", "Farid", "Grace", "Hamza", "Ines", "Joseph", "Karima", "Łukasz"]
FAMILY = ["Khan", "Okafor", "Jones", "Nowak", "Ahmed", "O'Brien", "Patel", "Hussain", "Evans", "Mbeki", "Żak", "de Souza"]
SESSION = Session(site="Masjid Al-Noor", date="2026-11-20", setting="pop_up")


def nhs_number(dice):
    """Nine digits from 999 and their check digit, modulo 11; some nine digits have none."""
    while True:
        digits = [9, 9, 9] + [dice.randrange(10) for _ in range(6)]
        check = 11 - sum(digit * weight for digit, weight in zip(digits, range(10, 1, -1))) % 11
        if check != 10:
            return "".join(map(str, digits + [check % 11]))


def person(dice, **values):
    return Person(**{
        "name": Name(given=dice.choice(GIVEN), family=dice.choice(FAMILY)),
        "date_of_birth": f"{dice.randrange(1940, 2000)}-{dice.randrange(1, 13):02}-{dice.randrange(1, 29):02}",
        "nhs_number": NhsNumber(value=nhs_number(dice)),
        "sex": dice.choice(["female", "male"]),
        **values,
    })


def reading(dice, at="2026-11-20T13:06:00Z", **values):
    usual = {"systolic": dice.randrange(105, 178), "diastolic": dice.randrange(62, 104), "pulse": dice.randrange(58, 96)}
    place = {"arm": dice.choice(["left", "right"]), "position": "sitting", "setting": "clinic"}
    return Reading(**{"taken_at": at, **usual, **place, **values})


def check(dice, number=0, who=None, session=None, **values):
    """One contact; `values` replace those of its first reading."""
    at = f"2026-11-20T{10 + number // 12 % 12:02}:{number % 12 * 5:02}"
    readings = [reading(dice, f"{at}:30Z", **values)]
    if dice.random() < 0.4:
        readings.append(reading(dice, f"{at}:50Z"))
    if who is None:
        who = WhichPerson.NO_DETAILS() if dice.random() < 0.15 else WhichPerson.NEW(person=person(dice))
    contact = Contact(
        started_at=f"{at}:00Z", reason="walk_up", check_type="bp_only", bp=BloodPressure(readings=readings),
        ext='{"queue": {"number": %d}}' % number,
    )
    return Check(session=session or WhichSession.AT(session=SESSION), person=who, contact=contact)


def day(seed, count):
    dice = random.Random(seed)
    return [check(dice, number) for number in range(count)]
