-- Words that systemd's two rounds of quoting could change.
INSERT INTO generator_instances (name, port, arguments, enabled) VALUES
  ('quotes', 27001, '"q" it''s " '' a\"b', 1),
  ('backslashes', 27002, 'trail\ \\ \n \x41 \', 1),
  ('expansions', 27003, '$HOME ${X} $$ %n %% % %i', 1),
  ('separators', 27004, '; #x * ~ +map -x &', 1),
  ('blanks', 27005, '  two   words ', 1),
  ('unicode', 27006, 'é 東京', 1),
  ('none', 27007, '', 1);
