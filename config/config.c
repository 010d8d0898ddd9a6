/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config/config.h"

#include <arpa/inet.h>
#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config/place.h"
#include "config/rules.h"
#include "config/table.h"

#define STEPS_MAX 4u

struct reader {
	const char *text;
	size_t len;
	const char *name; /* of the file */
	struct config *out;
	struct config_error *err;
	struct place_step step[STEPS_MAX];
	unsigned depth;
};

static void push_key(struct reader *r, const char *key)
{
	r->step[r->depth++] = (struct place_step){ .key = key };
}

static void push_idx(struct reader *r, size_t idx)
{
	r->step[r->depth++] = (struct place_step){ .idx = idx };
}

/* ---- errors ---- */

static void write_path(struct reader *r)
{
	char *path = r->err->path;
	size_t cap = sizeof(r->err->path), n = 0;

	path[0] = '\0';
	for (unsigned i = 0; i < r->depth && n < cap; i++)
		n += (size_t)(r->step[i].key != NULL
				      ? snprintf(path + n, cap - n, "%s%s",
						 i > 0 ? "." : "",
						 r->step[i].key)
				      : snprintf(path + n, cap - n, "[%zu]",
						 r->step[i].idx));
}

/* What stands there, as people see it. */
static void write_found(struct config_error *err, const struct place *v)
{
	int len = v->len > 40 ? 40 : (int)v->len;

	if (v->text[0] == '{')
		snprintf(err->found, sizeof(err->found), "an object {..}");
	else if (v->text[0] == '[')
		snprintf(err->found, sizeof(err->found), "a list [..]");
	else
		snprintf(err->found, sizeof(err->found), "%.*s%s", len, v->text,
			 v->len <= 40        ? ""
			 : v->text[0] == '"' ? "..\""
					     : "..");
}

static void at(struct config_error *err, const struct place *p)
{
	err->line = p->line;
	err->column = p->column;
}

/* The sentence before its last part: where, and which field. */
static int write_where(struct reader *r)
{
	struct config_error *err = r->err;
	size_t cap = sizeof(err->text);

	if (err->line == 0)
		return snprintf(err->text, cap, "%.255s: ", r->name);
	return snprintf(err->text, cap, "%.255s:%u:%u: %s%s", r->name,
			err->line, err->column, err->path,
			err->path[0] != '\0' ? ": " : "");
}

VX6_PRINTF(2, 3)
static enum vx6_status say(struct reader *r, const char *format, ...)
{
	char *text = r->err->text;
	int n = write_where(r);
	va_list ap;

	va_start(ap, format);
	vsnprintf(text + n, sizeof(r->err->text) - (size_t)n, format, ap);
	va_end(ap);
	/* Parts of the document are in it, and terminals obey bytes. */
	for (; *text != '\0'; text++)
		if ((unsigned char)*text < 0x20 || *text == 0x7f)
			*text = '?';
	return VX6_CONFIG;
}

/* The value at the reader's steps is not what it should be. */
VX6_PRINTF(2, 3)
static enum vx6_status wrong(struct reader *r, const char *expected, ...)
{
	struct config_error *err = r->err;
	struct place key, value;
	va_list ap;

	va_start(ap, expected);
	vsnprintf(err->expected, sizeof(err->expected), expected, ap);
	va_end(ap);
	write_path(r);
	if (place_find(r->text, r->len, r->step, r->depth, &key, &value)) {
		at(err, &value);
		write_found(err, &value);
	}
	return say(r, "found %s, expected %s", err->found, err->expected);
}

static enum vx6_status wrong_type(struct reader *r, const struct field *f)
{
	char rule[sizeof(r->err->expected)];

	return wrong(r, "%s", field_rule(f, rule, sizeof(rule)));
}

/* ---- unknown keys ---- */

/* Levenshtein's distance, or a large number for long texts. */
static unsigned distance(const char *a, const char *b)
{
	enum { MAX = 40 };
	unsigned row[MAX + 1];
	size_t na = strlen(a), nb = strlen(b);

	if (na > MAX || nb > MAX)
		return MAX;
	for (unsigned j = 0; j <= nb; j++)
		row[j] = j;
	for (unsigned i = 1; i <= na; i++) {
		unsigned diagonal = row[0];

		row[0] = i;
		for (unsigned j = 1; j <= nb; j++) {
			unsigned change = diagonal + (a[i - 1] != b[j - 1]);
			unsigned least = row[j] < row[j - 1] ? row[j]
							     : row[j - 1];

			diagonal = row[j];
			row[j] = change < least + 1 ? change : least + 1;
		}
	}
	return row[nb];
}

struct siblings {
	const char *wrong; /* what was written */
	const char *near;  /* the nearest known key so far */
	unsigned dist;
	char *list; /* of all, for people */
	size_t n, cap;
};

static void sibling(struct siblings *s, const char *key)
{
	unsigned d = distance(s->wrong, key);

	if (d < s->dist) {
		s->dist = d;
		s->near = key;
	}
	if (s->n < s->cap)
		s->n += (size_t)snprintf(s->list + s->n, s->cap - s->n, "%s%s",
					 s->n > 0 ? ", " : "", key);
}

/* The key at the reader's last step is not in `section` ("" for the top,
 * "x[]" for objects of list x). */
static enum vx6_status unknown(struct reader *r, const char *list,
			       const char *section)
{
	struct config_error *err = r->err;
	struct siblings s = { .wrong = r->step[r->depth - 1].key,
			      .dist = 3,
			      .list = err->expected,
			      .cap = sizeof(err->expected) };
	struct place key, value;

	for (unsigned i = 0; i < config_section_cnt; i++)
		if (list == NULL && section[0] == '\0')
			sibling(&s, config_section[i].key);
	for (unsigned i = 0; i < config_field_cnt; i++)
		if (list != NULL ? field_is_item(&config_field[i], list)
				 : field_is_in(&config_field[i], section))
			sibling(&s, field_key(&config_field[i]));
	write_path(r);
	if (place_find(r->text, r->len, r->step, r->depth, &key, &value)) {
		at(err, &key);
		write_found(err, &key);
	}
	if (s.near == NULL)
		return say(r, "there is no such field here; there are %s",
			   err->expected);
	snprintf(err->expected, sizeof(err->expected), "%s", s.near);
	return say(r, "there is no such field; did you mean \"%s\"?", s.near);
}

/* ---- one value ---- */

static bool store_int(const struct field *f, const json_t *v, uint8_t *to)
{
	if (!json_is_integer(v))
		return false;
	json_int_t n = json_integer_value(v);
	if ((double)n < f->min || (double)n > f->max)
		return false;
	uint16_t n16 = (uint16_t)n;
	uint32_t n32 = (uint32_t)n;
	uint64_t n64 = (uint64_t)n;
	if (f->size == sizeof(n16))
		memcpy(to, &n16, sizeof(n16));
	else if (f->size == sizeof(n32))
		memcpy(to, &n32, sizeof(n32));
	else
		memcpy(to, &n64, sizeof(n64));
	return true;
}

static bool store_seconds(const struct field *f, const json_t *v, uint8_t *to)
{
	if (!json_is_number(v))
		return false;
	double s = json_number_value(v);
	if (!(s >= f->min && s <= f->max))
		return false;
	uint64_t ns = (uint64_t)llround(s * 1e9);
	memcpy(to, &ns, sizeof(ns));
	return true;
}

static bool store_addr(const struct field *f, const char *text, uint8_t *to)
{
	struct vx6_addr a;

	if (vx6_addr_parse(&a, text) != VX6_OK || (double)a.port < f->min)
		return false;
	memcpy(to, &a, sizeof(a));
	return true;
}

/* Into ip alone: the port beside it is a field of its own. */
static bool store_ip(const char *text, uint8_t *to)
{
	struct vx6_addr a;
	char whole[64];
	bool v6 = strchr(text, ':') != NULL;

	if (snprintf(whole, sizeof(whole), v6 ? "[%s]:1" : "%s:1", text) >=
		    (int)sizeof(whole) ||
	    vx6_addr_parse(&a, whole) != VX6_OK)
		return false;
	memcpy(to + offsetof(struct vx6_addr, ip), a.ip, sizeof(a.ip));
	return true;
}

static bool store_word(const struct field *f, const char *text, uint8_t *to)
{
	for (unsigned i = 0; f->words[i] != NULL; i++) {
		if (strcmp(f->words[i], text) != 0)
			continue;
		memcpy(to, &i, sizeof(i));
		return true;
	}
	return false;
}

static bool group_ok(const char *s, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (!((s[i] >= 'a' && s[i] <= 'z') || s[i] == '_' ||
		      (i > 0 && ((s[i] >= '0' && s[i] <= '9') || s[i] == '-'))))
			return false;
	return len >= 1 && len < CONFIG_GROUP_TEXT;
}

/* What Linux takes, without what a shell or a log would stumble over. */
static bool ifname_ok(const char *s, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (!((s[i] >= 'a' && s[i] <= 'z') ||
		      (s[i] >= 'A' && s[i] <= 'Z') ||
		      (s[i] >= '0' && s[i] <= '9') ||
		      strchr("_.@+-", s[i]) != NULL))
			return false;
	return len >= 1 && len < CONFIG_IF_TEXT;
}

static bool wordy_ok(const char *s, size_t len, double most)
{
	for (size_t i = 0; i < len; i++)
		if (s[i] <= ' ' || s[i] > '~')
			return false;
	return len >= 1 && (double)len <= most;
}

static bool store_text(const struct field *f, const char *text, uint8_t *to)
{
	size_t len = strlen(text);
	bool ok = false;

	switch (f->type) {
	case FIELD_NAME: ok = name_ok(text, len); break;
	case FIELD_FAMILY: ok = family_ok(text, len); break;
	case FIELD_GROUP: ok = group_ok(text, len); break;
	case FIELD_IFNAME: ok = ifname_ok(text, len); break;
	case FIELD_WORDY: ok = wordy_ok(text, len, f->max); break;
	case FIELD_PATH: ok = text[0] == '/' && (double)len <= f->max; break;
	case FIELD_WORD: return store_word(f, text, to);
	case FIELD_ADDR: return store_addr(f, text, to);
	case FIELD_IP: return store_ip(text, to);
	case FIELD_ID: return vx6_id_parse(to, text) == VX6_OK;
	case FIELD_BOOL:
	case FIELD_INT:
	case FIELD_SECONDS:
	case FIELD_OBJECTS: break;
	}
	if (ok)
		memcpy(to, text, len + 1);
	return ok;
}

/* Stores v at `to`, or returns false: it breaks f's rule. */
static bool store(const struct field *f, const json_t *v, uint8_t *to)
{
	switch (f->type) {
	case FIELD_BOOL:
		if (!json_is_boolean(v))
			return false;
		*to = json_is_true(v);
		return true;
	case FIELD_INT: return store_int(f, v, to);
	case FIELD_SECONDS: return store_seconds(f, v, to);
	case FIELD_NAME:
	case FIELD_FAMILY:
	case FIELD_GROUP:
	case FIELD_IFNAME:
	case FIELD_WORDY:
	case FIELD_WORD:
	case FIELD_ADDR:
	case FIELD_IP:
	case FIELD_ID:
	case FIELD_PATH:
		return json_is_string(v) &&
		       store_text(f, json_string_value(v), to);
	case FIELD_OBJECTS: break;
	}
	return false;
}

/* ---- lists and objects ---- */

static const struct field *find_field(const char *list, const char *section,
				      const char *key)
{
	for (unsigned i = 0; i < config_field_cnt; i++) {
		const struct field *f = &config_field[i];

		if ((list != NULL ? field_is_item(f, list)
				  : field_is_in(f, section)) &&
		    strcmp(field_key(f), key) == 0)
			return f;
	}
	return NULL;
}

static void preset(const struct field *f, uint8_t *base);

/* One object of a list, such as a peer, whose memory is `item`. */
static enum vx6_status read_object(struct reader *r, const struct field *list,
				   json_t *v, uint8_t *item)
{
	const char *key;
	json_t *value;

	if (!json_is_object(v))
		return wrong_type(r, list);
	for (unsigned i = 0; i < config_field_cnt; i++)
		if (field_is_item(&config_field[i], list->path))
			preset(&config_field[i], item);
	json_object_foreach(v, key, value)
	{
		const struct field *f = find_field(list->path, "", key);

		push_key(r, key);
		if (f == NULL)
			return unknown(r, list->path, "");
		if (!store(f, value, item + f->offset))
			return wrong_type(r, f);
		r->depth--;
	}
	for (unsigned i = 0; i < config_field_cnt; i++) {
		const struct field *f = &config_field[i];

		if (field_is_item(f, list->path) && f->required &&
		    json_object_get(v, field_key(f)) == NULL)
			return wrong(r, "one that has \"%s\"", field_key(f));
	}
	return VX6_OK;
}

static enum vx6_status read_entry(struct reader *r, const struct field *f,
				  json_t *v, size_t idx)
{
	uint8_t *to = (uint8_t *)r->out + f->offset + idx * f->size;

	if (f->type == FIELD_OBJECTS)
		return read_object(r, f, v, to);
	return store(f, v, to) ? VX6_OK : wrong_type(r, f);
}

static enum vx6_status read_list(struct reader *r, const struct field *f,
				 json_t *v)
{
	uint32_t cnt = (uint32_t)json_array_size(v);

	if (json_array_size(v) < f->list_min)
		return wrong(r, "a list of at least %u", f->list_min);
	if (json_array_size(v) > f->list_max)
		return wrong(r, "a list of at most %u", f->list_max);
	for (uint32_t i = 0; i < cnt; i++) {
		push_idx(r, i);
		enum vx6_status st = read_entry(r, f, json_array_get(v, i), i);
		if (st != VX6_OK)
			return st;
		r->depth--;
	}
	memcpy((uint8_t *)r->out + f->cnt_offset, &cnt, sizeof(cnt));
	return VX6_OK;
}

static enum vx6_status read_field(struct reader *r, const struct field *f,
				  json_t *v)
{
	uint32_t one = 1;

	if (f->list_max == 0)
		return store(f, v, (uint8_t *)r->out + f->offset)
			       ? VX6_OK
			       : wrong_type(r, f);
	if (json_is_array(v))
		return read_list(r, f, v);
	if (f->type == FIELD_OBJECTS)
		return wrong(r, "a list [..]");
	/* A list of one may be written without brackets. */
	enum vx6_status st = read_entry(r, f, v, 0);
	if (st == VX6_OK)
		memcpy((uint8_t *)r->out + f->cnt_offset, &one, sizeof(one));
	return st;
}

static bool is_section(const char *key)
{
	for (unsigned i = 0; i < config_section_cnt; i++)
		if (strcmp(config_section[i].key, key) == 0)
			return true;
	return false;
}

static enum vx6_status read_section(struct reader *r, const char *section,
				    json_t *v)
{
	const char *key;
	json_t *value;

	if (!json_is_object(v))
		return wrong(r, "an object {..}");
	json_object_foreach(v, key, value)
	{
		const struct field *f = find_field(NULL, section, key);

		push_key(r, key);
		if (f == NULL)
			return unknown(r, NULL, section);
		enum vx6_status st = read_field(r, f, value);
		if (st != VX6_OK)
			return st;
		r->depth--;
	}
	return VX6_OK;
}

static enum vx6_status read_top(struct reader *r, json_t *doc)
{
	const char *key;
	json_t *value;

	if (!json_is_object(doc))
		return wrong(r, "an object {..}");
	json_object_foreach(doc, key, value)
	{
		const struct field *f = find_field(NULL, "", key);
		enum vx6_status st;

		push_key(r, key);
		if (f != NULL)
			st = read_field(r, f, value);
		else if (is_section(key))
			st = read_section(r, key, value);
		else
			st = unknown(r, NULL, "");
		if (st != VX6_OK)
			return st;
		r->depth--;
	}
	return VX6_OK;
}

/* ---- defaults ---- */

/* Presets are JSON in the table and go through the same rules; that each
 * of them holds is a test, and asserted nowhere. */
static void preset(const struct field *f, uint8_t *base)
{
	if (f->preset == NULL)
		return;
	json_t *v = json_loads(f->preset, JSON_DECODE_ANY, NULL);
	uint32_t cnt = (uint32_t)json_array_size(v);

	if (f->list_max == 0) {
		store(f, v, base + f->offset);
	} else {
		for (uint32_t i = 0; i < cnt; i++)
			store(f, json_array_get(v, i),
			      base + f->offset + i * f->size);
		memcpy(base + f->cnt_offset, &cnt, sizeof(cnt));
	}
	json_decref(v);
}

void config_defaults(struct config *out)
{
	*out = (struct config){ 0 };
	for (unsigned i = 0; i < config_field_cnt; i++)
		if (strchr(config_field[i].path, '[') == NULL)
			preset(&config_field[i], (uint8_t *)out);
}

/* ---- the document ---- */

static enum vx6_status not_json(struct reader *r, const json_error_t *je)
{
	struct config_error *err = r->err;
	struct place first, second;

	if (json_error_code(je) == json_error_out_of_memory)
		return VX6_NO_MEMORY;
	if (json_error_code(je) == json_error_duplicate_key &&
	    place_twice(r->text, r->len, &first, &second, err->path,
			sizeof(err->path))) {
		at(err, &second);
		write_found(err, &second);
		return say(r, "written twice, first on line %u", first.line);
	}
	err->line = je->line > 0 ? (unsigned)je->line : 1;
	err->column = je->column > 0 ? (unsigned)je->column : 1;
	if (json_error_code(je) == json_error_null_character)
		return say(r, "a text must not hold \\u0000");
	return say(r, "not JSON: %s", je->text);
}

/* What jansson takes and we do not. */
static enum vx6_status judge_form(struct reader *r)
{
	struct place p;

	if (place_too_deep(r->text, r->len, &p)) {
		at(r->err, &p);
		return say(r, "nested deeper than %u levels", PLACE_DEPTH);
	}
	if (place_escaped(r->text, r->len, &p)) {
		at(r->err, &p);
		write_found(r->err, &p);
		return say(r,
			   "the key %s is written with a \\: no key needs "
			   "one",
			   r->err->found);
	}
	return VX6_OK;
}

/* Rules between fields. */
static enum vx6_status judge_rules(struct reader *r)
{
	struct config_rule rule;

	if (!config_broken_rule(r->out, &rule))
		return VX6_OK;
	r->depth = 0;
	for (unsigned i = 0; i < VX6_COUNT(rule.step); i++)
		if (rule.step[i].key != NULL || rule.step[i].is_idx)
			r->step[r->depth++] = (struct place_step){
				rule.step[i].key, rule.step[i].idx
			};
	struct place key, value;
	if (place_find(r->text, r->len, r->step, r->depth, &key, &value))
		return wrong(r, "%s", rule.expected);
	/* It has its default: the other side of the rule was changed. */
	write_path(r);
	snprintf(r->err->expected, sizeof(r->err->expected), "%s",
		 rule.expected);
	return say(r, "%s has its default, expected %s", r->err->path,
		   rule.expected);
}

enum vx6_status config_parse(const char *text, size_t len, const char *name,
			     struct config *out, struct config_error *err)
{
	struct config *c = malloc(sizeof(*c));
	struct reader r = {
		.text = text, .len = len, .name = name, .out = c, .err = err
	};
	json_error_t je;

	*err = (struct config_error){ 0 };
	if (c == NULL)
		return VX6_NO_MEMORY;
	json_t *doc = json_loadb(text, len,
				 JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &je);
	enum vx6_status st = doc == NULL ? not_json(&r, &je) : judge_form(&r);
	if (st == VX6_OK) {
		config_defaults(c);
		st = read_top(&r, doc);
	}
	if (st == VX6_OK)
		st = judge_rules(&r);
	if (st == VX6_OK)
		*out = *c;
	json_decref(doc);
	free(c);
	return st;
}

/* Reads at most cap bytes; returns how many, or -1 with errno. */
static ssize_t read_file(const char *path, char *buf, size_t cap)
{
	FILE *f = fopen(path, "re");
	size_t n;

	if (f == NULL)
		return -1;
	errno = 0;
	n = fread(buf, 1, cap, f);
	int err = ferror(f) != 0 ? (errno != 0 ? errno : EIO) : 0;
	fclose(f);
	errno = err;
	return err != 0 ? -1 : (ssize_t)n;
}

enum vx6_status config_load(const char *path, struct config *out,
			    struct config_error *err)
{
	char *text = malloc(CONFIG_FILE_MAX + 1);
	enum vx6_status st = VX6_CONFIG;

	*err = (struct config_error){ 0 };
	if (text == NULL)
		return VX6_NO_MEMORY;
	ssize_t n = read_file(path, text, CONFIG_FILE_MAX + 1);
	if (n < 0)
		snprintf(err->text, sizeof(err->text),
			 "%.255s: cannot be read: %s", path, strerror(errno));
	else if (n > (ssize_t)CONFIG_FILE_MAX)
		snprintf(err->text, sizeof(err->text),
			 "%.255s: has more than %u bytes", path,
			 CONFIG_FILE_MAX);
	else
		st = config_parse(text, (size_t)n, path, out, err);
	free(text);
	return st;
}

/* ---- directories ---- */

static enum vx6_status fill_dir(char *to, size_t cap, size_t max,
				const char *base, const char *tail,
				const char *field, struct config_error *err)
{
	int n = snprintf(to, cap, "%s%s", base, tail);

	if (base[0] == '/' && n > 0 && (size_t)n <= max)
		return VX6_OK;
	to[0] = '\0';
	snprintf(err->path, sizeof(err->path), "%s", field);
	snprintf(err->text, sizeof(err->text),
		 "no directory for %s: the environment says \"%.200s%s\", "
		 "which is not an absolute path of at most %zu characters; "
		 "use --%s DIR",
		 field, base, tail, max, field);
	return VX6_CONFIG;
}

static enum vx6_status no_dir(const char *field, const char *var,
			      struct config_error *err)
{
	snprintf(err->path, sizeof(err->path), "%s", field);
	snprintf(err->text, sizeof(err->text),
		 "no directory for %s: %s is not set; use --%s DIR", field, var,
		 field);
	return VX6_CONFIG;
}

static enum vx6_status state_dir_of_user(struct config *c,
					 struct config_error *err)
{
	const char *xdg = getenv("XDG_STATE_HOME");
	const char *home = getenv("HOME");

	if (xdg != NULL && xdg[0] != '\0')
		return fill_dir(c->state, sizeof(c->state),
				sizeof(c->state) - 1, xdg, "/vx6", "state",
				err);
	if (home == NULL || home[0] == '\0')
		return no_dir("state", "HOME", err);
	return fill_dir(c->state, sizeof(c->state), sizeof(c->state) - 1, home,
			"/.local/state/vx6", "state", err);
}

enum vx6_status config_dirs(struct config *c, struct config_error *err)
{
	const char *xdg = getenv("XDG_RUNTIME_DIR");
	bool root = geteuid() == 0;
	enum vx6_status st = VX6_OK;

	*err = (struct config_error){ 0 };
	if (c->state[0] == '\0')
		st = root ? fill_dir(c->state, sizeof(c->state),
				     sizeof(c->state) - 1, "/var/lib", "/vx6",
				     "state", err)
			  : state_dir_of_user(c, err);
	if (st != VX6_OK || c->run[0] != '\0')
		return st;
	if (!root && (xdg == NULL || xdg[0] == '\0'))
		return no_dir("run", "XDG_RUNTIME_DIR", err);
	return fill_dir(c->run, sizeof(c->run), CONFIG_RUN_MAX,
			root ? "/run" : xdg, "/vx6", "run", err);
}
