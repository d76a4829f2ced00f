-- `snoozed_until`: when the snooze of a snoozed incident ends. `owner`: whom it is assigned to, empty for nobody.
ALTER TABLE incidents ADD COLUMN snoozed_until bigint;
ALTER TABLE incidents ADD COLUMN owner text NOT NULL DEFAULT '';
