"""What UK Core and this project ask of what goes out: section 9 of the clinical pack, as checks of single resources and
of bundles. `faults(resource)` and `faults_of_bundle(bundle)` give a list of sentences, empty where all is well."""

import re

SNOMED, LOINC, UCUM = "http://snomed.info/sct", "http://loinc.org", "http://unitsofmeasure.org"
NHS_NUMBER = "https://fhir.nhs.uk/Id/nhs-number"
COMPONENTS = {"Systolic blood pressure": "8480-6", "Diastolic blood pressure": "8462-4"}

# Verhoeff's check digit, which SNOMED CT ends its codes with: products in the dihedral group of ten.
_PERMUTED = [[0, 1, 2, 3, 4, 5, 6, 7, 8, 9], [1, 5, 7, 6, 2, 8, 3, 0, 9, 4]]
while len(_PERMUTED) < 8:
    _PERMUTED.append([_PERMUTED[1][digit] for digit in _PERMUTED[-1]])


def _product(a, b):
    if a < 5:
        return (a + b) % 5 if b < 5 else 5 + (a + b) % 5
    return 5 + (a - b) % 5 if b < 5 else (a - b) % 5


def is_snomed(code):
    check = 0
    for place, digit in enumerate(reversed(code)):
        check = _product(check, _PERMUTED[place % 8][int(digit)])
    return check == 0


def is_nhs_number(text):
    if not re.fullmatch("[0-9]{10}", text):
        return False
    rest = 11 - sum(int(digit) * weight for digit, weight in zip(text, range(10, 1, -1))) % 11
    return rest % 11 == int(text[9]) and rest != 10


def _walk(value):
    if isinstance(value, dict):
        yield value
        for member in value.values():
            yield from _walk(member)
    elif isinstance(value, list):
        for member in value:
            yield from _walk(member)


def references(value):
    return [found["reference"] for found in _walk(value) if "reference" in found]


def _codes(concept, system):
    return [coding.get("code") for coding in concept.get("coding", []) if coding.get("system") == system]


def _is_quantity(quantity, unit, code):
    value = quantity.get("value")
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return is_number and (quantity.get("unit"), quantity.get("system"), quantity.get("code")) == (unit, UCUM, code)


def faults(resource):
    found = []

    def must(holds, said):
        if not holds:
            found.append(f"{resource.get('resourceType')}: {said}")

    must(re.fullmatch(r"[A-Za-z0-9\-.]{1,64}", resource.get("id", "")), "an id")
    for part in _walk(resource):
        if part.get("system") == SNOMED and "code" in part:
            must(part["code"].isdigit() and is_snomed(part["code"]), f"SNOMED check digit of {part['code']}")
        if part.get("system") == NHS_NUMBER and resource["resourceType"] == "Patient":
            must(is_nhs_number(part.get("value", "")), "an NHS number")
            must(part.get("value", "").startswith("9"), "an NHS number of the test range")
            must(len(part.get("extension", [])) == 1, "how far the NHS number was verified")
    if resource["resourceType"] == "Observation":
        _observation(resource, must)
    if resource["resourceType"] in ("ServiceRequest", "Task", "Encounter", "Consent"):
        must(resource.get("status"), "a status")
    return found


def _observation(resource, must):
    statuses = ("final", "corrected", "preliminary", "entered-in-error", "cancelled")
    status = resource.get("status")
    must(status in statuses, f"status {status}")
    must("subject" in resource, "a subject")
    must(re.search(r"\+0[01]:00$", resource.get("effectiveDateTime", "")), "a time with the offset of London")
    values = [name for name in resource if name.startswith("value")]
    has_value = bool(values) or "component" in resource
    must(has_value != ("dataAbsentReason" in resource), "a value, or why there is none")
    if status == "preliminary":
        must(not has_value, "what is not settled has no value")
        must(resource.get("note"), "what is not settled says what disagrees")
    categories = [coding["code"] for category in resource["category"] for coding in category["coding"]]
    must(len(categories) == 1, "one category")
    loinc, snomed = _codes(resource["code"], LOINC), _codes(resource["code"], SNOMED)
    if "85354-9" in loinc:
        must("75367002" in snomed, "SNOMED of a blood pressure")
        must(categories == ["vital-signs"], "vital-signs")
        must(not values, "a blood pressure has no value of its own")
        if "component" in resource:
            _pair(resource["component"], must)
        must("component" in resource or "meta" not in resource, "no profile without its pair")
    else:
        must("component" not in resource, "no components but of a blood pressure")
    if "8867-4" in loinc:
        must(len(loinc) == 1 and len(snomed) == 1, "codes of a heart rate")
        if "valueQuantity" in resource:
            must(_is_quantity(resource["valueQuantity"], "per minute", "/min"), "units of a heart rate")


def _pair(components, must):
    must([component["code"].get("text") for component in components] == list(COMPONENTS), "both components, once")
    for component in components:
        name = component["code"].get("text")
        loinc = [(coding.get("code"), coding.get("display")) for coding in component["code"]["coding"]
                 if coding.get("system") == LOINC]
        must(loinc == [(COMPONENTS.get(name), name)], f"LOINC of {name}")
        must(_codes(component["code"], SNOMED), f"SNOMED of {name}")
        must(_is_quantity(component.get("valueQuantity", {}), "millimeter of mercury", "mm[Hg]"), f"units of {name}")


def faults_of_bundle(bundle):
    found = []
    urls = [entry["fullUrl"] for entry in bundle["entry"]]
    if len(set(urls)) != len(urls):
        found.append("Bundle: a full URL twice")
    for reference in references(bundle):
        if reference not in urls:
            found.append(f"Bundle: {reference} points nowhere")
    for entry in bundle["entry"]:
        resource = entry["resource"]
        found.extend(faults(resource))
        if entry["fullUrl"] != f"urn:uuid:{resource['id']}":
            found.append("Bundle: a full URL that is not the id")
        if bundle["type"] == "transaction":
            wanted = {"method": "PUT", "url": f"{resource['resourceType']}/{resource['id']}"}
            if entry.get("request") != wanted:
                found.append("Bundle: a transaction puts each under its own id")
    if bundle["type"] == "document":
        if not bundle.get("identifier") or not bundle.get("timestamp"):
            found.append("Bundle: a document has an identifier and a time")
        if bundle["entry"][0]["resource"]["resourceType"] != "Composition":
            found.append("Bundle: a document begins with its composition")
    return found
