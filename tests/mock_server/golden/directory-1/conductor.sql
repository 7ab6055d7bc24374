BEGIN TRANSACTION;
CREATE TABLE declarations (
	account TEXT NOT NULL, 
	md5 TEXT NOT NULL, 
	path TEXT NOT NULL, 
	PRIMARY KEY (account, md5, path)
);
INSERT INTO "declarations" VALUES('5335530341046455','85IRtZZdAprTbkTGlT7Cfw==','/proj/small.ma');
CREATE TABLE deliveries (
	account TEXT NOT NULL, 
	job BIGINT NOT NULL, 
	t_us BIGINT NOT NULL, 
	status TEXT NOT NULL, 
	nth BIGINT NOT NULL, 
	state TEXT NOT NULL, 
	tries INTEGER NOT NULL, 
	error TEXT NOT NULL, 
	next_us BIGINT NOT NULL, 
	sum TEXT, 
	PRIMARY KEY (account, job, t_us, status, nth)
);
CREATE TABLE heads (
	account TEXT NOT NULL, 
	seq BIGINT NOT NULL, 
	PRIMARY KEY (account)
);
INSERT INTO "heads" VALUES('5335530341046455',4);
CREATE TABLE holdings (
	account TEXT NOT NULL, 
	md5 TEXT NOT NULL, 
	size BIGINT NOT NULL, 
	t_us BIGINT NOT NULL, 
	sum TEXT, 
	PRIMARY KEY (account, md5)
);
INSERT INTO "holdings" VALUES('5335530341046455','85IRtZZdAprTbkTGlT7Cfw==',22,1767225600000000,'8f2bfccc0b46fddb');
CREATE TABLE log (
	account TEXT NOT NULL, 
	seq BIGINT NOT NULL, 
	t_us BIGINT NOT NULL, 
	kind TEXT NOT NULL, 
	v INTEGER NOT NULL, 
	json TEXT NOT NULL, 
	body_md5 TEXT, 
	sum TEXT, 
	PRIMARY KEY (account, seq)
);
INSERT INTO "log" VALUES('5335530341046455',1,1767225600000000,'account.opened',2,'{"client_id":"studio","account_id":"5335530341046455","key_sha256":"4fb0d8888136592d2a8f9e9dc85c7377808f2efaa994141506463afb51c718f1","options":{"simulation_version":1,"catalog_sha256":"30215e15889d7960df3d4b187482b2d07874b411477aa6f4aa17344cc7430ecb","seed":1,"fleet":0,"provider":"gcs","part_size":1073741824,"release_scouts":false,"execute":0},"clock":{"wall_us":1767225600000000,"sim_us":1767225600000000,"speed_millionths":0}}',NULL,'84a35774de8afb61');
INSERT INTO "log" VALUES('5335530341046455',2,1767225600000000,'job.created',2,'{"payload":{"job_title":"A test","project":"default","instance_type":"n1-standard-2","tasks_data":[{"command":"render -f 8 /proj/a.ma","frames":"8"}],"output_path":"/proj/out","owner":"kim","priority":5},"body_sha256":"a9afc90a796daa7ada7f82e88146fd647a54a7b7e44d8441cc2dc6bf1090a33b","machine":{"name":"n1-standard-2","cores":2,"price":94999,"preemptible_price":28499,"licence_price":0,"speed":25},"missing":[],"warnings":[],"idempotency_key":null}',NULL,'a938fd040688e4dd');
INSERT INTO "log" VALUES('5335530341046455',3,1767226033709536,'clock.set',1,'{"wall_us":1767225600000000,"sim_us":1767226033709536,"speed_millionths":0}',NULL,'9b68224722b5e0b5');
INSERT INTO "log" VALUES('5335530341046455',4,1767226033709536,'outputs.listed',1,'{"job":1,"task":0,"files":[{"relative_path":"A_test.0008.simulated.png","md5":"GCGPblHpTw/YAI4FH/BZQA==","size":15279}]}',NULL,'8a7a96aec190cd1a');
CREATE TABLE meta (
	name TEXT NOT NULL, 
	value TEXT NOT NULL, 
	PRIMARY KEY (name)
);
INSERT INTO "meta" VALUES('schema','1');
INSERT INTO "meta" VALUES('commits','9');
INSERT INTO "meta" VALUES('directory','c7f57c75e69d74230898fca006df0c66');
INSERT INTO "meta" VALUES('command/account.opened/2','');
INSERT INTO "meta" VALUES('command/job.created/2','');
INSERT INTO "meta" VALUES('command/clock.set/1','');
INSERT INTO "meta" VALUES('command/outputs.listed/1','');
CREATE TABLE multiparts (
	account TEXT NOT NULL, 
	upload_id TEXT NOT NULL, 
	md5 TEXT NOT NULL, 
	size BIGINT NOT NULL, 
	part_size BIGINT NOT NULL, 
	sum TEXT, 
	PRIMARY KEY (account, upload_id)
);
CREATE TABLE outputs (
	account TEXT NOT NULL, 
	md5 TEXT NOT NULL, 
	size BIGINT NOT NULL, 
	t_us BIGINT NOT NULL, 
	sum TEXT, 
	PRIMARY KEY (account, md5)
);
INSERT INTO "outputs" VALUES('5335530341046455','GCGPblHpTw/YAI4FH/BZQA==',15279,1767226033709536,'ede9f85d1790ab08');
CREATE TABLE snapshots (
	account TEXT NOT NULL, 
	seq BIGINT NOT NULL, 
	simulation_version INTEGER NOT NULL, 
	body_md5 TEXT NOT NULL, 
	sum TEXT, 
	PRIMARY KEY (account)
);
INSERT INTO "snapshots" VALUES('5335530341046455',4,1,'TK42V7AiR17gS0ENQHEaHw==','1477d631c98db8c6');
COMMIT;
