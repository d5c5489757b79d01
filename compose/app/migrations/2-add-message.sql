-- expand: releases of schema 1 go on writing `note` and know nothing of this column
ALTER TABLE visits ADD COLUMN message VARCHAR(255);
