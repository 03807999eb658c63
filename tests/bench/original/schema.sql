-- The original's tables, with the indexes its queries want, and the facts of its context.
create table conversations (
  id uuid primary key,
  phone text not null,
  patient_name text,
  status text,
  assigned_to uuid,
  created_at timestamptz,
  updated_at timestamptz);
create index conversations_phone on conversations (phone);

create table messages (
  id uuid primary key,
  conversation_id uuid references conversations (id),
  sender text,
  content text,
  direction text,
  whatsapp_message_id text,
  created_at timestamptz);
create index messages_conversation on messages (conversation_id, created_at);

create table patients (
  id uuid primary key,
  name text,
  phone text unique,
  email text,
  created_at timestamptz);

create table faqs (question text not null, answer text not null);
create table departments (id text primary key, name text not null, location text, phone text, hours text);
create table doctors (department_id text not null references departments (id), name text not null, hours text);
