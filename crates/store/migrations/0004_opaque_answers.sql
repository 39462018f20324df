-- Answers of an older version are forgotten: they would not have lived longer than a day.
DELETE FROM idempotent_answers;
-- The status of an answer is part of what the doors write down.
ALTER TABLE idempotent_answers DROP COLUMN status;
-- The answer, as the doors have written it down and read it; opaque to the store.
ALTER TABLE idempotent_answers RENAME COLUMN body TO answer;
