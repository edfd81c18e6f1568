--
-- PostgreSQL database dump
--

\restrict practicepracticepracticepracticepracticepracticepracticepractic

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
-- Name: orders; Type: TABLE; Schema: public; Owner: postgres
--

CREATE TABLE public.orders (
    id bigint NOT NULL,
    placed timestamp with time zone NOT NULL,
    customer integer NOT NULL,
    cents integer NOT NULL,
    state text NOT NULL
);


ALTER TABLE public.orders OWNER TO postgres;

--
-- Data for Name: orders; Type: TABLE DATA; Schema: public; Owner: postgres
--

COPY public.orders (id, placed, customer, cents, state) FROM stdin;
@ROWS@
\.


--
-- Name: orders orders_pkey; Type: CONSTRAINT; Schema: public; Owner: postgres
--

ALTER TABLE ONLY public.orders
    ADD CONSTRAINT orders_pkey PRIMARY KEY (id);


--
-- Name: orders_placed; Type: INDEX; Schema: public; Owner: postgres
--

CREATE INDEX orders_placed ON public.orders USING btree (placed);


--
-- PostgreSQL database dump complete
--

\unrestrict practicepracticepracticepracticepracticepracticepracticepractic

