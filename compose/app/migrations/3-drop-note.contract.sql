-- contract: only when no release of schema 1 or 2 runs, and none will be gone back to
ALTER TABLE visits DROP COLUMN note;
