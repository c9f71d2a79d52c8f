-- Run once, when the database is made. The role owns its database and has no right on the server.
\set password `cat /run/secrets/database-password`
CREATE ROLE assay LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE PASSWORD :'password';
CREATE DATABASE assay OWNER assay ENCODING 'UTF8';
REVOKE CONNECT ON DATABASE assay FROM PUBLIC;
