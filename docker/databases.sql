-- One database and one role for each of its users, none of which may see the other's or command the server.
\set tuner `cat /run/secrets/postgres/tuner`
\set mlflow `cat /run/secrets/postgres/mlflow`
CREATE ROLE tuner LOGIN PASSWORD :'tuner';
CREATE ROLE mlflow LOGIN PASSWORD :'mlflow';
CREATE DATABASE tuner OWNER tuner;
CREATE DATABASE mlflow OWNER mlflow;
REVOKE CONNECT ON DATABASE tuner, mlflow, postgres, template1 FROM PUBLIC;
