-- One database and one role for each of its users, none of which may see the other's or command the server.
\set tuner `cat /run/secrets/postgres/tuner`
\set mlflow `cat /run/secrets/postgres/mlflow`
CREATE ROLE tuner LOGIN PASSWORD :'tuner';
CREATE ROLE mlflow LOGIN PASSWORD :'mlflow';
-- The encoding is said, for a server that was set up without a language has none, and clients then get bytes.
CREATE DATABASE tuner OWNER tuner TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C.UTF-8';
CREATE DATABASE mlflow OWNER mlflow TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C.UTF-8';
REVOKE CONNECT ON DATABASE tuner, mlflow, postgres, template1 FROM PUBLIC;
