-- By what people are found, and how well readings were taken. Everything is derived again after this step.
DELETE FROM made_by;

-- Words of names, folded; numbers as digits, and most of them from their end with `<` before them. Holds personal data, as
-- `record` does.
CREATE TABLE find_key (
    key TEXT NOT NULL,
    person BLOB NOT NULL,
    PRIMARY KEY (key, person)
) STRICT, WITHOUT ROWID;

CREATE INDEX find_key_by_person ON find_key (person);

-- Every word of `find_key` once, with how many people have it: what somebody typed is compared with all of them.
CREATE TABLE find_word (
    word TEXT NOT NULL PRIMARY KEY,
    people INTEGER NOT NULL CHECK (people > 0)
) STRICT, WITHOUT ROWID;

-- The blood pressures of a contact that count, as 152/94 with a comma between them, in the order in which they were taken.
ALTER TABLE reach ADD COLUMN readings TEXT NOT NULL DEFAULT '';
-- 1: a reading was taken long before or after the contact began.
ALTER TABLE reach ADD COLUMN odd_times INTEGER NOT NULL DEFAULT 0;
