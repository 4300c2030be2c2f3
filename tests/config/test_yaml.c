/* What YAML and JSON let people write, and programs: each does what was meant, or is refused by its place. */
#include "base/log.h"
#include "config/case.h"

#include <ctype.h>
#include <stdlib.h>

/* --- the same key again ------------------------------------------------------------------------------- */

static void test_a_key_given_twice_names_both_lines_however_it_is_spelled(void **state) {
  (void)state;
  REFUSED("lsh:\n  chunk: 64\n  n_hashes: 2\n  chunk: 32\n", NULL, "a.yaml:4: lsh.chunk", "first on line 2");
  REFUSED("data: duplicate\nlsh: {chunk: 64}\ndata: bytes\n", NULL, "a.yaml:3: data", "first on line 1");
  REFUSED("data: duplicate\noptimizer.lr: 1\noptimizer:\n  lr: 2\n", NULL, "a.yaml:4: optimizer.lr: given twice",
          "first on line 2; keep one");
  REFUSED("data: duplicate\noptimizer: {lr: 2}\noptimizer.lr: 2\n", NULL, "a.yaml:3: optimizer.lr", "first on line 2");
  REFUSED("data: duplicate\nmodel.positions.kind: axial\nmodel:\n  positions:\n    kind: axial\n", NULL,
          "a.yaml:5: model.positions.kind", "first on line 2");
  REFUSED("data: duplicate\nmodel:\n  positions.kind: axial\n  positions: {kind: axial}\n", NULL, "a.yaml:4",
          "first on line 3");
  REFUSED("data: duplicate\nmodel:\n  positions.kind: axial\nmodel.positions:\n  kind: axial\n", NULL, "a.yaml:5",
          "first on line 3");
  REFUSED("data: duplicate\ndata.kind: bytes\n", NULL, "a.yaml:2: data.kind", "first on line 1");
  REFUSED("data: duplicate\nmodel: {positions: rotary}\nmodel.positions: rotary\n", NULL,
          "a.yaml:3: model.positions.kind", "first on line 2");
  REFUSED("data: duplicate\nmodel.d_head: null\nmodel: {d_head: 8}\n", NULL, "a.yaml:3: model.d_head: given twice");
  REFUSED("{\"data\": \"duplicate\",\n \"data\": \"duplicate\"}", NULL,
          "a.yaml:2: data.kind: given twice, first on line 1");
  REFUSED(minimal, "model={positions: rotary, positions.kind: axial}",
          "--set model.positions.kind: given twice in one value");
}

static void test_a_section_may_be_written_in_parts_that_share_no_key(void **state) {
  (void)state;
  rf_config config;
  accept("data: duplicate\ndata.length: 128\nmodel.positions: learned\nmodel: {positions.shape: 200}\n", NULL, &config);
  assert_int_equal(config.data.length, 128);
  assert_int_equal(config.model.positions.shape[0], 200);
}

static void test_a_set_overrides_however_it_is_spelled_and_the_last_one_wins(void **state) {
  (void)state;
  rf_config config;
  const char *const sets[] = {"optimizer.lr=2", "optimizer={lr: 3}", "optimizer.lr=0.5"};
  assert_int_equal(rf_config_parse("a.yaml", minimal, strlen(minimal), sets, 3, &config), RF_OK);
  assert_true(config.optimizer.lr == 0.5);
  accept("data: duplicate\noptimizer.lr: 1\n", "optimizer={lr: 3}", &config);
  assert_true(config.optimizer.lr == 3);
}

static void test_a_name_that_only_looks_like_a_key_is_shown_as_it_is(void **state) {
  (void)state;
  REFUSED("data: duplicate\nmodel:\n  D_Model: 64\n", NULL, "a.yaml:3: model.D_Model: unknown key", "small letters",
          "model.d_model");
  REFUSED("Model: {d_model: 64}\n", NULL, "a.yaml:1: Model", "small letters", "nearest known key is model");
  REFUSED("data: duplicate\nmodel:\n \xc2\xa0"
          "d_model: 64\n",
          NULL, "model.<U+00A0>d_model", "is model.d_model");
  REFUSED("data: duplicate\nmodel: {\"d_model \": 64}\n", NULL, "model.d_model : unknown", "small letters",
          "is model.d_model");
  REFUSED("data: duplicate\nmodel: {\"d_m\xd0\xbe"
          "del\": 64}\n",
          NULL, "model.d_m<U+043E>del", "is model.d_model");
  REFUSED("data: duplicate\nmodel: {\"\\e[31m\": 64}\n", NULL, "model.<U+001B>[31m");
  REFUSED("data: duplicate\nmodel: {\"\": 64}\n", NULL, "where the name of a key belongs");
  REFUSED("data: duplicate\nmodel: {d_model: 64\xc2\xa0}\n", NULL, "found '64<U+00A0>'");
}

/* --- values ------------------------------------------------------------------------------------------- */

static void test_quotes_around_a_word_or_a_number_change_nothing(void **state) {
  (void)state;
  rf_config config;
  accept("data: {\"kind\": \"duplicate\", \"length\": \"256\"}\n"
         "model: {d_head: \"auto\", causal: \"true\", attention: [\"full\", 'local'], dropout: '0.25'}\n"
         "model.positions: {shape: \"auto\"}\n"
         "optimizer: {beta1: 'auto', lr: \"1e-05\"}\nmesh: {data: \"auto\"}\nlsh: {n_buckets: \"auto\"}\n"
         "training: {seed: \"7\", memory_limit: \"auto\"}\n",
         NULL, &config);
  assert_int_equal(config.model.d_head, 64);
  assert_int_equal(config.model.attention[0], RF_ATTENTION_FULL);
  assert_true(config.model.causal && config.model.dropout == 0.25 && config.optimizer.lr == 1e-5);
  assert_true(config.training.seed == 7 && config.training.memory_limit == RF_MEMORY_AUTO);
  accept("data: {kind: bytes, path: 'null'}\n", NULL, &config); /* a name in quotes is a name */
  assert_string_equal(config.data.path, "null");
  accept(minimal, "model.d_head=\"auto\"", &config);
  REFUSED("model: {d_model: \"\"}\n", NULL, "found ''", "a whole number");
}

static void test_a_number_is_what_people_write_or_is_refused(void **state) {
  (void)state;
  static const struct {
    const char *text;
    int64_t value; /* 0: refused */
  } cases[] = {{"64", 64},     {"+64", 64},  {"1e2", 100}, {"1E2", 100}, {"100.0", 100}, {"1.28e2", 128}, {"0.5e1", 5},
               {"064", 0},     {"0o100", 0}, {"0x40", 0},  {"0b11", 0},  {"1_000", 0},   {"1:30", 0},     {"1,000", 0},
               {"1.5", 0},     {"1e-1", 0},  {"1e400", 0}, {".inf", 0},  {"nan", 0},     {"1 000", 0},    {"64k", 0},
               {"\"6 4\"", 0}, {"-64", 0},   {"--64", 0},  {"true", 0},  {"64.", 64},    {"9e15", 0}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    char text[128], quoted[64];
    rf_config config;
    (void)snprintf(text, sizeof text, "data: duplicate\nlocal:\n  chunk: %s\n", cases[i].text);
    rf_log_set_rank(1); /* some lengths are padded, which is warned about */
    const rf_status status = parse(text, NULL, &config);
    rf_log_set_rank(0);
    if (status != (cases[i].value ? RF_OK : RF_BAD_CONFIG)) fail_msg("%s: status %d", cases[i].text, status);
    if (status == RF_OK) assert_int_equal(config.local.chunk, cases[i].value);
    (void)snprintf(quoted, sizeof quoted, "'%s'", cases[i].text);
    if (status != RF_OK && cases[i].text[0] != '"') assert_non_null(strstr(rf_error_message(), quoted));
  }
  REFUSED("training: {seed: 010}\n", NULL, "'010'", "without the 0 in front");
  REFUSED("training: {memory_limit: 010MiB}\n", NULL, "'010MiB'", "without the 0 in front");
  REFUSED("optimizer: {lr: 01.5}\n", NULL, "'01.5'", "without the 0 in front");
  REFUSED("optimizer:\n  lr: 1,5\n", NULL, "'1,5'", "with a point");
  REFUSED("optimizer: {lr: 1,5}\n", NULL, "optimizer.5");
  REFUSED("training: {steps: 10_000}\n", NULL, "'10_000'", "without _");
  REFUSED("optimizer: {lr: .inf}\n", NULL, "'.inf'");
  REFUSED("optimizer: {lr: NaN}\n", NULL, "'NaN'");
  REFUSED("data: {split: [.nan, 0, 0]}\n", NULL, "'.nan' in the list");
  REFUSED("data: {split: [90, 5, 5]}\n", NULL, "'90' in the list", "from 0 to 1");
  static const char *const truths[] = {"yes", "no", "on", "off", "y", "1", "0", "'no'"};
  for (size_t i = 0; i < sizeof truths / sizeof *truths; i++) {
    char text[64];
    (void)snprintf(text, sizeof text, "model: {causal: %s}\n", truths[i]);
    REFUSED(text, NULL, "model.causal", "true, false");
  }
}

/* As programs write whole numbers that they hold as reals; exactly, up to the last one of 64 bits. */
static void test_every_whole_number_may_be_written_as_a_real(void **state) {
  (void)state;
  static const struct {
    const char *text;
    uint64_t seed;
  } seeds[] = {{"7.0", 7},
               {"1e3", 1000},
               {"+5", 5},
               {".5e1", 5},
               {"1200.00e-2", 12},
               {"0.0", 0},
               {"0e-99999999999999999999", 0},
               {"7.00000000000000000000000000", 7},
               {"0.00000000000000000000000001e26", 1},
               {"1e18", 1000000000000000000},
               {"9007199254740992.0", 9007199254740992},
               {"1.8446744073709550e+19", 0}, /* rounded: it may have been another */
               {"18446744073709549568.0", 18446744073709549568u},
               {"18446744073709551615", UINT64_MAX}};
  for (size_t i = 0; i < sizeof seeds / sizeof *seeds; i++) {
    char text[128];
    rf_config config;
    (void)snprintf(text, sizeof text, "data: {kind: duplicate, length: 256}\ntraining: {seed: %s}\n", seeds[i].text);
    if (seeds[i].seed == 0 && seeds[i].text[0] != '0') {
      REFUSED(text, NULL, seeds[i].text);
      continue;
    }
    accept(text, NULL, &config);
    if (config.training.seed != seeds[i].seed) fail_msg("%s: %llu", text, (unsigned long long)config.training.seed);
  }
  static const char *const others[] = {"7.5",
                                       "1e-3",
                                       "-1",
                                       "-7.0",
                                       "+-7",
                                       "18446744073709551616",
                                       "1e20",
                                       "07.0",
                                       ".",
                                       "1e",
                                       "9007199254740993.0",
                                       "18446744073709551615.0",
                                       "7.0.0",
                                       "e3",
                                       "1e400",
                                       "\"\""};
  for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
    char text[128];
    (void)snprintf(text, sizeof text, "training: {seed: %s}\n", others[i]);
    REFUSED(text, NULL, "training.seed: found");
    (void)snprintf(text, sizeof text, "training: {memory_limit: %s}\n", others[i]);
    REFUSED(text, NULL, "training.memory_limit: found");
    (void)snprintf(text, sizeof text, "data: {token_bytes: %s}\n", others[i]);
    REFUSED(text, NULL, "data.token_bytes: found");
  }
  static const char *const limits[] = {"1073741824.0", "1.073741824e9", "1GiB", "1.0GiB", "1024MiB", "+1073741824"};
  for (size_t i = 0; i < sizeof limits / sizeof *limits; i++) {
    char text[128];
    rf_config config;
    (void)snprintf(text, sizeof text, "%straining: {memory_limit: %s}\n", minimal, limits[i]);
    accept(text, NULL, &config);
    assert_int_equal(config.training.memory_limit, 1073741824);
  }
  rf_config config;
  accept("{\"data\": {\"kind\": \"bytes\", \"path\": \"x\", \"length\": 256.0, \"token_bytes\": 4.0}}\n", NULL,
         &config);
  assert_int_equal(config.data.token_bytes, 4);
  REFUSED("training: {memory_limit: 1.5GiB}\n", NULL, "'1.5GiB'");
  REFUSED("training: {memory_limit: 9000000TiB}\n", NULL, "'9000000TiB'");
  REFUSED("data: {token_bytes: 3.0}\n", NULL, "'3.0'");
}

static void test_null_is_the_default_and_an_empty_section_is_none(void **state) {
  (void)state;
  rf_config config;
  accept("model:\n  # d_model: 64\nlsh: ~\ndata: {kind: duplicate, length: 256}\noptimizer: {lr: null, beta1: ~}\n"
         "model.d_head: null\nmodel.positions: null\n",
         NULL, &config);
  assert_true(config.optimizer.lr == 1e-3 && config.optimizer.beta1 == 0.9 && config.model.d_model == 256);
  accept("data: {kind: duplicate, length: 256}\nlsh: {chunk: 32}\n", "lsh.chunk=null", &config);
  assert_int_equal(config.lsh.chunk, 64);
  REFUSED("data: {kind: null}\n", NULL, "data.kind is missing");
  REFUSED(minimal, "data.kind=null", "data.kind is missing");
  REFUSED("data: duplicate\nlsh:\n  chunk:\n", NULL, "a.yaml:3: lsh.chunk: found nothing");
  REFUSED("model: {attention: [lsh, null]}\n", NULL, "found nothing in the list");
}

/* --- whole files -------------------------------------------------------------------------------------- */

static const char *const json =
    "{\n\t\"model\": {\"d_model\": 64, \"n_heads\": 2, \"d_head\": \"auto\", \"d_ff\": null, \"dropout\": 0.0,\n"
    "\t\t\"positions\": {\"kind\": \"axial\", \"shape\": [16, 16]}, \"attention\": [\"lsh\", \"local\"]},\n"
    "\t\"data\": {\"kind\":\"bytes\",\"path\":\"\\/tmp\\/\\u00e9t\\u00e9\",\"length\":256},\n"
    "\t\"optimizer\": {\"lr\": 1e-05, \"eps\": 1E-8, \"weight_decay\": 1.0},\n"
    "\t\"training\": {\"steps\": 1000.0, \"seed\": 18446744073709551615},\n"
    "\t\"checkpoint\": {\"async\": false}, \"output\": {}, \"lsh\": null\n}\n";

static void check_json(const char *text, size_t length) {
  rf_config config;
  const rf_status status = rf_config_parse("a.json", text, length, NULL, 0, &config);
  if (status != RF_OK) print_error("%s\n", rf_error_message());
  assert_int_equal(status, RF_OK);
  assert_int_equal(config.model.d_head, 32);
  assert_int_equal(config.model.d_ff, 256);
  assert_string_equal(config.data.path, "/tmp/\xc3\xa9t\xc3\xa9");
  assert_true(config.optimizer.lr == 1e-5 && config.training.steps == 1000 && config.training.seed == UINT64_MAX);
  assert_false(config.checkpoint.async);
}

/* In the three ways in which editors and programs store it: as it is, with a mark and CRLF, and as UTF-16. */
static void test_json_of_any_program_is_a_configuration(void **state) {
  (void)state;
  check_json(json, strlen(json));
  char crlf[2048] = "\xef\xbb\xbf", wide[4096];
  size_t n = 3, w = 0;
  wide[w++] = '\xff', wide[w++] = '\xfe';
  for (const char *at = json; *at; at++) {
    if (*at == '\n') crlf[n++] = '\r';
    crlf[n++] = *at;
    wide[w++] = *at, wide[w++] = '\0';
  }
  check_json(crlf, n);
  check_json(wide, w);
  rf_config config;
  assert_int_equal(rf_config_parse("a.json", wide + 2, w - 2, NULL, 0, &config), RF_BAD_CONFIG); /* without its mark */
  assert_non_null(strstr(rf_error_message(), "UTF-16 with its byte order mark"));
  assert_int_equal(rf_config_parse("a.json", "data: duplicate\n\0", 17, NULL, 0, &config), RF_BAD_CONFIG);
  assert_non_null(strstr(rf_error_message(), "(byte 16)"));
  REFUSED("{\"data\": {\"path\": \"\\ud83d\\ude00\"}}", NULL, "a.yaml:1", "ensure_ascii=False");
  REFUSED("{\"data\": {\"kind\": \"duplicate\",}", NULL, "a.yaml:2", "not valid YAML");
  REFUSED("{\"data\": \"duplicate\"} {\"data\": \"bytes\"}", NULL, "a.yaml:1", "the configuration ends before it");
}

static void test_text_that_is_no_yaml_is_refused_with_its_line(void **state) {
  (void)state;
  REFUSED("model: {d_model: 5\n", NULL, "a.yaml:2", "not valid YAML");
  REFUSED("model:\n  a: b: c\n", NULL, "a.yaml:2", "not valid YAML");
  REFUSED("data: {kind: \"\\0\"}\n", NULL, "zero byte");
  REFUSED("model: {? [a] : b}\n", NULL, "where the name of a key belongs");
  REFUSED("model: \xff\xfe\n", NULL, "not valid YAML");
  REFUSED("model: &m {positions: *m}\n", NULL, "model.positions");
  REFUSED(minimal, "model.d_model=[1", "--set model.d_model: not valid YAML");
}

static void test_tabs_that_indent_are_named(void **state) {
  (void)state;
  REFUSED("data: duplicate\nmodel:\n\td_model: 64\n", NULL, "a.yaml:3", "not valid YAML", "by spaces, not by tabs");
  rf_config config;
  accept("data:\tduplicate\t# tabs between words are fine\n", NULL, &config);
}

static void test_text_without_a_map_of_sections_is_no_configuration(void **state) {
  (void)state;
  REFUSED("# nothing but a remark\n", NULL, "a.yaml: found nothing", "a map of sections");
  REFUSED("- model\n", NULL, "a list", "a map of sections");
  REFUSED("", NULL, "found nothing", "a map of sections");
  REFUSED("data: duplicate\n---\ndata: bytes\n", NULL, "a.yaml:2", "second YAML document");
  REFUSED("--- ~\n", NULL, "found nothing");
  REFUSED("\n\n \n", NULL, "found nothing");
  REFUSED("[]\n", NULL, "found a list");
  REFUSED("a few words, then nothing\n", NULL, "found 'a few words, then nothing'");
  REFUSED("data: duplicate\n...\ndata: bytes\n", NULL, "a.yaml:3", "the configuration ends before it");
  REFUSED("data: duplicate\n...\n---\n", NULL, "a.yaml:3: a second YAML document");
  rf_config config;
  accept("%YAML 1.2\n---\ndata: {kind: duplicate, length: 256}\n...\n", NULL, &config);
  REFUSED("%WHAT 1\n---\ndata: duplicate\n", NULL, "unknown directive");
}

/* The letter as UTF-8. */
static void put_letter(unsigned letter, char text[8]) {
  if (letter < 0x80)
    (void)snprintf(text, 8, "%c", (int)letter);
  else if (letter < 0x800)
    (void)snprintf(text, 8, "%c%c", (int)(0xc0 | letter >> 6), (int)(0x80 | (letter & 0x3f)));
  else
    (void)snprintf(text, 8, "%c%c%c", (int)(0xe0 | letter >> 12), (int)(0x80 | (letter >> 6 & 0x3f)),
                   (int)(0x80 | (letter & 0x3f)));
}

/* A run's config.yaml is written by the program and must be read by it, whatever letters a path is made of: at its
 * beginning, at its end and within. */
static void test_text_of_any_letters_is_written_so_that_it_reads_back(void **state) {
  (void)state;
  static const unsigned far[] = {0x85, 0xa0, 0xe9, 0x2028, 0x2029, 0x200b, 0x3042, 0xfeff, 0xfffd};
  rf_config config, again;
  accept("data: {kind: bytes, path: x, length: 256}\n", NULL, &config);
  for (unsigned n = 1; n < 128 + sizeof far / sizeof *far; n++) {
    char piece[8], *text = NULL;
    if (n < 128 && isalnum((int)n) && n != 'n') continue;
    put_letter(n < 128 ? n : far[n - 128], piece);
    memset(config.data.path, 0, sizeof config.data.path);
    memset(config.output.sample_prompt, 0, sizeof config.output.sample_prompt);
    (void)snprintf(config.data.path, sizeof config.data.path, "%s", piece);
    (void)snprintf(config.output.sample_prompt, sizeof config.output.sample_prompt, "%s a%s\n'%s", piece, piece, piece);
    assert_int_equal(rf_config_emit(&config, &text), RF_OK);
    const rf_status status = parse(text, NULL, &again);
    if (status != RF_OK) fail_msg("'%s': %s\n%s", piece, rf_error_message(), text);
    if (memcmp(&config, &again, sizeof config) != 0) fail_msg("'%s' became: %s", piece, text);
    free(text);
  }
}

/* --- tags, and the value of a --set ------------------------------------------------------------------ */

static void test_tags_are_refused(void **state) {
  (void)state;
  REFUSED("data: duplicate\nlsh: {chunk: !!int 5}\n", NULL, "a.yaml:2: found the tag tag:yaml.org,2002:int");
  REFUSED("data: !!python/object:os.system {}\n", NULL, "a.yaml:1: found the tag tag:yaml.org,2002:python/object");
  REFUSED("data: duplicate\nmodel: !include model.yaml\n", NULL, "a.yaml:2: found the tag !include");
  REFUSED("data: duplicate\nmodel: {attention: !!set [lsh]}\n", NULL, "found the tag");
  REFUSED(minimal, "lsh.chunk=!!int 5", "--set lsh.chunk: found the tag");
}

static void test_the_value_of_a_set_is_all_that_was_typed(void **state) {
  (void)state;
  static const char *const cut[] = {"data.path=corpus #2",     "data.path= corpus",     "data.path=corpus ",
                                    "data.path=corpus\t",      "data.path=#2",          "data.path=\xc3\xbc\xc3\xbc #2",
                                    "output.sample_prompt= ",  "data.path=\"a\" #2",    "model.attention=[lsh] # all",
                                    "training=steps: 3 # few", "data={path: corpus} #2"};
  for (size_t i = 0; i < sizeof cut / sizeof *cut; i++)
    REFUSED(minimal, cut[i], "--set ", "drops a part", "'KEY=\"VALUE\"'");
  REFUSED(minimal, "data.path=a\nb", "--set data.path: found a line's end within the value", "\\n");
  REFUSED(minimal, "data.path=\"a\n  b\"", "a line's end within the value");
  REFUSED(minimal, "output.sample_prompt=%s", "not valid YAML", "'KEY=\"VALUE\"'");
  REFUSED(minimal, "output.sample_prompt=@a", "not valid YAML", "'KEY=\"VALUE\"'");

  static const struct {
    const char *set, *path;
  } whole[] = {
      {"data.path=corpus#2", "corpus#2"},
      {"data.path=\"corpus #2\"", "corpus #2"},
      {"data.path='corpus #2'", "corpus #2"},
      {"data.path=\" corpus \"", " corpus "},
      {"data.path=\"a\\nb\"", "a\nb"},
      {"data.path=\xc3\xbc b", "\xc3\xbc b"},
      {"data={path: \"a #2\"}", "a #2"},
      {"data=path: a b", "a b"},
      {"data.path=a\r\n", "a"},
      {"data.path=\xef\xbb\xbf"
       "a",
       "a"},
      {"data=\n  path: a\n  length: 256\n", "a"},
      {"data.path=|-\n  a\n  b", "a\nb"},
  };
  for (size_t i = 0; i < sizeof whole / sizeof *whole; i++) {
    rf_config config;
    accept("data: {kind: bytes, path: none, length: 256}", whole[i].set, &config);
    assert_string_equal(config.data.path, whole[i].path);
  }
}

/* --- text that is meant to take long ------------------------------------------------------------------- */

/* `times` copies of `piece`, with texts around them. */
static char *repeat(const char *before, const char *piece, int times, const char *after) {
  const size_t length = strlen(piece);
  char *text = malloc(strlen(before) + length * (size_t)times + strlen(after) + 1);
  assert_non_null(text);
  char *to = stpcpy(text, before);
  for (int i = 0; i < times; i++) to = stpcpy(to, piece);
  strcpy(to, after);
  return text;
}

/* Each takes libyaml, or a reader that copies what an alias names, minutes or all memory; here the test's time limit.
 */
static void test_towers_and_bombs_end_at_once(void **state) {
  (void)state;
  static const char *const deep[] = {"[", "{", "{a: ", "- ", "? ", "[\n "};
  for (size_t i = 0; i < sizeof deep / sizeof *deep; i++) {
    char *text = repeat("data: duplicate\nx-a:\n ", deep[i], 150000, "");
    REFUSED(text, NULL, "deep; allowed: 32");
    free(text);
  }
  char *sets = repeat("model.attention=", "[", 150000, ""), *anchors = NULL;
  REFUSED(minimal, sets, "--set model.attention", "deep; allowed: 32");
  free(sets);

  size_t length = 0;
  FILE *stream = open_memstream(&anchors, &length);
  assert_non_null(stream);
  for (int i = 0; i < 60000; i++) (void)fprintf(stream, "x-%d: &a%d y\n", i, i);
  assert_int_equal(fclose(stream), 0);
  REFUSED(anchors, NULL, "a.yaml:1001: found one anchor more than the 1000");
  free(anchors);

  char *keys = repeat("", "x-a: 1\n", 100000, "data: duplicate\n"), *names = NULL;
  REFUSED(keys, NULL, "a.yaml:257", "more than 256 keys");
  free(keys);
  stream = open_memstream(&names, &length);
  assert_non_null(stream);
  for (int i = 0; i < 100000; i++) (void)fprintf(stream, "x-%d: y\n", i);
  assert_int_equal(fclose(stream), 0);
  REFUSED(names, NULL, "a.yaml:257", "more than 256 keys");
  free(names);

  rf_config config;
  char *bomb = repeat("x-0: &a [l, o, l]\nx-1: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nx-2: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\n"
                      "x-3: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c]\nx-4: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d]\n"
                      "x-5: &m {d_model: 64}\nx-6: &n {<<: [",
                      "*m,", 100000, "*m]}\ndata: {kind: duplicate, length: 256}\nmodel: {<<: [*n,*n,*n]}\n");
  accept(bomb, NULL, &config);
  assert_int_equal(config.model.d_model, 64);
  REFUSED(bomb, "model.attention=*e", "undefined alias");
  free(bomb);
  REFUSED("x-0: &a [lsh]\nx-1: &b [*a,*a]\ndata: duplicate\nmodel: {attention: *b}\n", NULL, "a list in the list");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_a_key_given_twice_names_both_lines_however_it_is_spelled),
      cmocka_unit_test(test_a_section_may_be_written_in_parts_that_share_no_key),
      cmocka_unit_test(test_a_set_overrides_however_it_is_spelled_and_the_last_one_wins),
      cmocka_unit_test(test_a_name_that_only_looks_like_a_key_is_shown_as_it_is),
      cmocka_unit_test(test_quotes_around_a_word_or_a_number_change_nothing),
      cmocka_unit_test(test_a_number_is_what_people_write_or_is_refused),
      cmocka_unit_test(test_every_whole_number_may_be_written_as_a_real),
      cmocka_unit_test(test_null_is_the_default_and_an_empty_section_is_none),
      cmocka_unit_test(test_json_of_any_program_is_a_configuration),
      cmocka_unit_test(test_text_that_is_no_yaml_is_refused_with_its_line),
      cmocka_unit_test(test_tabs_that_indent_are_named),
      cmocka_unit_test(test_text_without_a_map_of_sections_is_no_configuration),
      cmocka_unit_test(test_text_of_any_letters_is_written_so_that_it_reads_back),
      cmocka_unit_test(test_tags_are_refused),
      cmocka_unit_test(test_the_value_of_a_set_is_all_that_was_typed),
      cmocka_unit_test(test_towers_and_bombs_end_at_once),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
