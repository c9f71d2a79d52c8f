-- What the background refresh and operators need to know of cached collateral. Rows of before have none
-- of it. The validity is what an inspector said; the request is JSON.
ALTER TABLE collateral ADD COLUMN not_before BIGINT;
ALTER TABLE collateral ADD COLUMN not_after  BIGINT;
ALTER TABLE collateral ADD COLUMN request    TEXT;
ALTER TABLE collateral ADD COLUMN used       BIGINT;
