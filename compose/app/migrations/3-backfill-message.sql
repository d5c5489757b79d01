-- expand: schema 2 writes both columns, so what is copied here is never newer than what is there
UPDATE visits SET message = note WHERE message IS NULL AND note IS NOT NULL;
