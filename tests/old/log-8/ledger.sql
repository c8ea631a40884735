--
-- PostgreSQL database dump
--


-- Dumped from database version 15.18 (Debian 15.18-0+deb12u1)
-- Dumped by pg_dump version 15.18 (Debian 15.18-0+deb12u1)

SET statement_timeout = 0;
SET lock_timeout = 0;
SET idle_in_transaction_session_timeout = 0;
SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;
SELECT pg_catalog.set_config('search_path', '', false);
SET check_function_bodies = false;
SET xmloption = content;
SET client_min_messages = warning;
SET row_security = off;

SET default_tablespace = '';

SET default_table_access_method = heap;

--
-- Name: entry; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.entry (
    n bigint NOT NULL,
    at bigint NOT NULL,
    body text NOT NULL
);


--
-- Name: ledger; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.ledger (
    one bigint NOT NULL,
    id bytea NOT NULL,
    CONSTRAINT ledger_id_check CHECK ((length(id) = 16)),
    CONSTRAINT ledger_one_check CHECK ((one = 1))
);


--
-- Name: wayside_schema; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.wayside_schema (
    part text NOT NULL,
    version bigint NOT NULL,
    oldest bigint NOT NULL
);


--
-- Data for Name: entry; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.entry VALUES (1, 1795391150987, '{"kind":"team","team":"01a205a6-db8b-7e4b-ab36-4f912b6ca2b5","name":"Leeds East"}');
INSERT INTO public.entry VALUES (2, 1795391151025, '{"kind":"team","team":"01a205a6-dbb1-74ce-b6f2-fde51118dc22","name":"Bradford"}');
INSERT INTO public.entry VALUES (3, 1795391151126, '{"kind":"enrolled","code":"eeabe971a14e4719724590004e371359e9cc5573943ed1573007080594d9f067","tablet":"9a1ab34342bf41181f5b816e7a25fd48aac5f0522a9294aee2b3d94f1883c48c","name":"van","team":"01a205a6-db8b-7e4b-ab36-4f912b6ca2b5"}');
INSERT INTO public.entry VALUES (4, 1795391151226, '{"kind":"enrolled","code":"1cb080da20c534f6c7cbbe0fc5c2e212c1df5adef660da656796fa5884f9ca06","tablet":"8ee4f0dda954316af46e6e82127b6f5f37213b81d96e301a7fd1f167f157387f","name":"mosque","team":"01a205a6-db8b-7e4b-ab36-4f912b6ca2b5"}');
INSERT INTO public.entry VALUES (5, 1795391151335, '{"kind":"enrolled","code":"57f644ad0c51ea332ea0a0aaee029b05a030e47a1553a22659d3a8332e9e801e","tablet":"a2e4302e279a5a97e778d116387e92b262e5bd9db669bdbe02a4013c3b235e6f","name":"lost","team":"01a205a6-db8b-7e4b-ab36-4f912b6ca2b5"}');
INSERT INTO public.entry VALUES (6, 1795391152150, '{"kind":"erased","record":"01a205a6-dec6-79d2-bdf0-09f25a6f1f02"}');
INSERT INTO public.entry VALUES (7, 1795391152150, '{"kind":"erased","record":"01a205a6-dec7-7dc1-b1ed-b788e53e0f5d"}');


--
-- Data for Name: ledger; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.ledger VALUES (1, '\xb7989d67ca5bbfe4f64e226395a8a673');


--
-- Data for Name: wayside_schema; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.wayside_schema VALUES ('ledger', 1, 1);


--
-- Name: entry entry_body_key; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.entry
    ADD CONSTRAINT entry_body_key UNIQUE (body);


--
-- Name: entry entry_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.entry
    ADD CONSTRAINT entry_pkey PRIMARY KEY (n);


--
-- Name: ledger ledger_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.ledger
    ADD CONSTRAINT ledger_pkey PRIMARY KEY (one);


--
-- Name: wayside_schema wayside_schema_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.wayside_schema
    ADD CONSTRAINT wayside_schema_pkey PRIMARY KEY (part);


--
-- PostgreSQL database dump complete
--


