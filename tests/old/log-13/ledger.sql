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
-- Name: trail; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.trail (
    n bigint NOT NULL,
    at bigint NOT NULL,
    place bigint NOT NULL,
    hash bytea NOT NULL,
    restored bigint NOT NULL,
    CONSTRAINT trail_hash_check CHECK ((length(hash) = 32)),
    CONSTRAINT trail_restored_check CHECK ((restored = ANY (ARRAY[(0)::bigint, (1)::bigint])))
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

INSERT INTO public.entry VALUES (1, 1795388749978, '{"kind":"team","team":"01a20582-389a-7666-89bc-993d1d1ff697","name":"Leeds East"}');
INSERT INTO public.entry VALUES (2, 1795388750189, '{"kind":"team","team":"01a20582-396d-7952-b336-1671a34af9e2","name":"Bradford"}');
INSERT INTO public.entry VALUES (3, 1795388750550, '{"kind":"enrolled","code":"5736c4f4898fdc9fdfc3a86ac8274d70106ed4b22689de4bfd97dc361a5f24e5","tablet":"53ea189f149a92effad72369a3db052a8e950524dcfe6886fe98ae65778b83ff","name":"van","team":"01a20582-389a-7666-89bc-993d1d1ff697"}');
INSERT INTO public.entry VALUES (4, 1795388750791, '{"kind":"enrolled","code":"18c0bc433b215000fe9f809dd3f295d3a7660d24aede0e86f4c3e24eb4aee612","tablet":"a69c70df56ad1ea9e0196eb72649321596602d9a351ec0d275fe4403fdc00716","name":"mosque","team":"01a20582-389a-7666-89bc-993d1d1ff697"}');
INSERT INTO public.entry VALUES (5, 1795388751070, '{"kind":"enrolled","code":"771e008ff222812d981d9171a12bb812e843fe33ff5c78d8fa4acef14fc334ee","tablet":"1a4800bc5d35297743ca147156152b5f6ea6aa1433bf4167d9f73349ede0d6f9","name":"lost","team":"01a20582-389a-7666-89bc-993d1d1ff697"}');
INSERT INTO public.entry VALUES (6, 1795388753580, '{"kind":"erased","record":"01a20582-40f7-7ef7-b9de-2e3822d59f73"}');
INSERT INTO public.entry VALUES (7, 1795388753580, '{"kind":"erased","record":"01a20582-40ff-71c3-a70d-44a25b4f4533"}');
INSERT INTO public.entry VALUES (8, 1795388754169, '{"kind":"revoked","tablet":"1a4800bc5d35297743ca147156152b5f6ea6aa1433bf4167d9f73349ede0d6f9"}');


--
-- Data for Name: ledger; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.ledger VALUES (1, '\xec9842d56c0014da5cca98f4d9c831a5');


--
-- Data for Name: trail; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.trail VALUES (1, 1795388754828, 15, '\x5c4ced3299f5db48ada5b1a8f6ed591b17d0a1a8333eb53a9b8773366224cc9f', 0);


--
-- Data for Name: wayside_schema; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.wayside_schema VALUES ('ledger', 2, 1);


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
-- Name: trail trail_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.trail
    ADD CONSTRAINT trail_pkey PRIMARY KEY (n);


--
-- Name: wayside_schema wayside_schema_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.wayside_schema
    ADD CONSTRAINT wayside_schema_pkey PRIMARY KEY (part);


--
-- PostgreSQL database dump complete
--


