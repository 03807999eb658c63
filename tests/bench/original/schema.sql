-- The original's tables, with the indexes its queries want, and facts for its context.
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
create table departments (id int primary key, name text not null, floor text, phone text, hours text);
create table doctors (department_id int not null references departments (id), name text not null, hours text);

insert into faqs
select 'What should I know about topic ' || n || ' before I come to the hospital?',
       'Come to the main desk on the ground floor between 10:00 and 20:00 and say topic ' || n || '.'
  from generate_series(1, 12) as n;
insert into departments
select n, 'Department ' || n, 'Block B, floor ' || n, '+1 555 010 ' || 1000 + n, 'Mon-Sat 09:00-17:00'
  from generate_series(1, 6) as n;
insert into doctors
select 1 + n % 6, 'Dr. Name ' || n, 'Mon, Wed, Fri 10:00-13:00' from generate_series(1, 12) as n;
analyze;
