/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Schema, reference and example: the table, said three more times by a
 * program instead of by hand. */
#include <string.h>

#include "config/config.h"
#include "config/table.h"

static void put_indent(FILE *f, unsigned n)
{
	fprintf(f, "\n%*s", (int)n * 2, "");
}

/* A JSON string; the table's texts are ASCII without control bytes. */
static void put_string(FILE *f, const char *s)
{
	fputc('"', f);
	for (; *s != '\0'; s++) {
		if (*s == '"' || *s == '\\')
			fputc('\\', f);
		fputc(*s, f);
	}
	fputc('"', f);
}

/* ---- schema ---- */

#define OCTET "(25[0-5]|2[0-4][0-9]|1?[0-9]?[0-9])"
#define V4    OCTET "(\\." OCTET "){3}"
#define V6    "[0-9A-Fa-f:.]{2,45}"
#define PORT0                                                                  \
	"(6553[0-5]|655[0-2][0-9]|65[0-4][0-9]{2}|6[0-4][0-9]{3}|"             \
	"[1-5]?[0-9]{1,4})"

/* What a text must match; rougher than the loader where a regular
 * expression would be unreadable (IPv6). */
static const char *pattern_of(const struct field *f)
{
	switch (f->type) {
	case FIELD_NAME: return "^[a-z0-9-]{1,15}$";
	case FIELD_FAMILY: return "^[a-z0-9-]{1,31}$";
	case FIELD_GROUP: return "^[a-z_][a-z0-9_-]{0,31}$";
	case FIELD_IFNAME: return "^[a-zA-Z0-9_.@+-]{1,15}$";
	case FIELD_WORDY: return "^[!-~]+$";
	case FIELD_ADDR: return "^(" V4 "|localhost|\\[" V6 "\\]):" PORT0 "$";
	case FIELD_IP: return "^(" V4 "|localhost|" V6 ")$";
	case FIELD_ID: return "^vx6[a-zA-Z2-7]{51}[aqAQ]$";
	case FIELD_PATH: return "^/";
	case FIELD_BOOL:
	case FIELD_INT:
	case FIELD_SECONDS:
	case FIELD_WORD:
	case FIELD_OBJECTS: break;
	}
	return NULL;
}

static void put_type(FILE *f, const struct field *fl)
{
	const char *pattern = pattern_of(fl);

	switch (fl->type) {
	case FIELD_BOOL: fprintf(f, "\"type\": \"boolean\""); break;
	case FIELD_INT:
		fprintf(f,
			"\"type\": \"integer\", \"minimum\": %.0f, "
			"\"maximum\": %.0f",
			fl->min, fl->max);
		break;
	case FIELD_SECONDS:
		fprintf(f,
			"\"type\": \"number\", \"minimum\": %g, "
			"\"maximum\": %.9g",
			fl->min, fl->max);
		break;
	case FIELD_WORD:
		fprintf(f, "\"enum\": [");
		for (unsigned i = 0; fl->words[i] != NULL; i++)
			fprintf(f, "%s\"%s\"", i > 0 ? ", " : "", fl->words[i]);
		fputc(']', f);
		break;
	case FIELD_NAME:
	case FIELD_FAMILY:
	case FIELD_GROUP:
	case FIELD_IFNAME:
	case FIELD_WORDY:
	case FIELD_ADDR:
	case FIELD_IP:
	case FIELD_ID:
	case FIELD_PATH:
		fprintf(f, "\"type\": \"string\", \"pattern\": ");
		put_string(f, pattern);
		if (fl->type == FIELD_PATH || fl->type == FIELD_WORDY)
			fprintf(f, ", \"maxLength\": %.0f", fl->max);
		break;
	case FIELD_OBJECTS: break;
	}
}

/* What every field says of itself, before what its value must be. */
static void put_about(FILE *f, const struct field *fl, unsigned indent)
{
	put_string(f, field_key(fl));
	fprintf(f, ": {");
	put_indent(f, indent + 1);
	fprintf(f, "\"description\": ");
	put_string(f, fl->help);
	fputc(',', f);
	if (fl->unit != NULL) {
		put_indent(f, indent + 1);
		fprintf(f, "\"x-unit\": \"%s\",", fl->unit);
	}
	put_indent(f, indent + 1);
	fprintf(f, "\"x-live\": %s,", fl->live ? "true" : "false");
	if (fl->preset != NULL) {
		put_indent(f, indent + 1);
		fprintf(f, "\"default\": %s,", fl->preset);
	}
	put_indent(f, indent + 1);
}

static void put_prop(FILE *f, const struct field *fl, unsigned indent)
{
	put_about(f, fl, indent);
	if (fl->list_max > 0) {
		fprintf(f, "\"oneOf\": [{");
		put_type(f, fl);
		fprintf(f,
			"}, {\"type\": \"array\", \"minItems\": %u, "
			"\"maxItems\": %u, \"items\": {",
			fl->list_min, fl->list_max);
		put_type(f, fl);
		fprintf(f, "}}]");
	} else {
		put_type(f, fl);
	}
	put_indent(f, indent);
	fputc('}', f);
}

static void put_required(FILE *f, const char *list)
{
	bool first = true;

	fprintf(f, "\"required\": [");
	for (unsigned i = 0; i < config_field_cnt; i++) {
		const struct field *it = &config_field[i];

		if (!field_is_item(it, list) || !it->required)
			continue;
		fprintf(f, "%s\"%s\"", first ? "" : ", ", field_key(it));
		first = false;
	}
	fprintf(f, "],");
}

static void put_item_props(FILE *f, const char *list, unsigned indent)
{
	bool first = true;

	for (unsigned i = 0; i < config_field_cnt; i++) {
		if (!field_is_item(&config_field[i], list))
			continue;
		if (!first)
			fputc(',', f);
		first = false;
		put_indent(f, indent);
		put_prop(f, &config_field[i], indent);
	}
}

static void put_objects(FILE *f, const struct field *fl, unsigned indent)
{
	put_about(f, fl, indent);
	fprintf(f, "\"type\": \"array\", \"maxItems\": %u,", fl->list_max);
	put_indent(f, indent + 1);
	fprintf(f, "\"items\": {");
	put_indent(f, indent + 2);
	fprintf(f, "\"type\": \"object\", \"additionalProperties\": false,");
	put_indent(f, indent + 2);
	put_required(f, fl->path);
	put_indent(f, indent + 2);
	fprintf(f, "\"properties\": {");
	put_item_props(f, fl->path, indent + 3);
	put_indent(f, indent + 2);
	fputc('}', f);
	put_indent(f, indent + 1);
	fputc('}', f);
	put_indent(f, indent);
	fputc('}', f);
}

static void put_props(FILE *f, const char *section, unsigned indent)
{
	bool first = true;

	for (unsigned i = 0; i < config_field_cnt; i++) {
		const struct field *fl = &config_field[i];

		if (!field_is_in(fl, section))
			continue;
		if (!first)
			fputc(',', f);
		first = false;
		put_indent(f, indent);
		if (fl->type == FIELD_OBJECTS)
			put_objects(f, fl, indent);
		else
			put_prop(f, fl, indent);
	}
}

void config_schema(FILE *f)
{
	fprintf(f, "{\n  \"$schema\": "
		   "\"https://json-schema.org/draft/2020-12/schema\",\n"
		   "  \"title\": \"VX6 configuration\",\n"
		   "  \"type\": \"object\",\n"
		   "  \"additionalProperties\": false,\n"
		   "  \"properties\": {");
	for (unsigned i = 0; i < config_section_cnt; i++) {
		put_indent(f, 2);
		put_string(f, config_section[i].key);
		fprintf(f, ": {");
		put_indent(f, 3);
		fprintf(f, "\"description\": ");
		put_string(f, config_section[i].help);
		fprintf(f, ",");
		put_indent(f, 3);
		fprintf(f, "\"type\": \"object\", "
			   "\"additionalProperties\": false,");
		put_indent(f, 3);
		fprintf(f, "\"properties\": {");
		put_props(f, config_section[i].key, 4);
		put_indent(f, 3);
		fputc('}', f);
		put_indent(f, 2);
		fprintf(f, "},");
	}
	put_props(f, "", 2);
	fprintf(f, "\n  }\n}\n");
}

/* ---- reference ---- */

static void put_cell(FILE *f, const char *s)
{
	for (; *s != '\0'; s++) {
		if (*s == '|')
			fputc('\\', f);
		fputc(*s, f);
	}
}

static void put_row(FILE *f, const struct field *fl)
{
	char rule[192];

	fprintf(f, "| `%s` | ", fl->path);
	if (fl->type == FIELD_OBJECTS)
		fprintf(f, "a list of at most %u objects", fl->list_max);
	else
		put_cell(f, field_rule(fl, rule, sizeof(rule)));
	if (fl->list_max > 0 && fl->type != FIELD_OBJECTS)
		fprintf(f, "; or a list of %u to %u", fl->list_min,
			fl->list_max);
	if (fl->unit != NULL && fl->type == FIELD_INT)
		fprintf(f, " (%s)", fl->unit);
	fprintf(f, " | ");
	if (fl->required)
		fprintf(f, "required");
	else if (fl->preset != NULL)
		fprintf(f, "`%s`", fl->preset);
	else
		fprintf(f, "none");
	fprintf(f, " | %s | ", fl->live ? "yes" : "no");
	put_cell(f, fl->help);
	fprintf(f, " |\n");
}

static void put_table(FILE *f, const char *section)
{
	fprintf(f, "\n| field | value | default | live | |\n"
		   "|---|---|---|---|---|\n");
	for (unsigned i = 0; i < config_field_cnt; i++) {
		const struct field *fl = &config_field[i];

		if (field_is_in(fl, section) ||
		    (section[0] == '\0' && strchr(fl->path, '[') != NULL))
			put_row(f, fl);
	}
}

void config_reference(FILE *f)
{
	fprintf(f, "# Configuration\n\n"
		   "One JSON document; every field may be left out. Both "
		   "daemons read it when they start, so\n"
		   "restart them after a change; live says what a running "
		   "node could take, once a command hands\n"
		   "it over. `vx6 config check FILE` says what is "
		   "wrong with one, `vx6 config schema` prints\n"
		   "the JSON Schema that editors understand.\n");
	for (unsigned i = 0; i < config_section_cnt; i++) {
		fprintf(f, "\n## %s\n\n%s\n", config_section[i].key,
			config_section[i].help);
		put_table(f, config_section[i].key);
	}
	fprintf(f, "\n## At the top\n");
	put_table(f, "");
}

/* ---- example ---- */

static bool has_example(const char *section)
{
	for (unsigned i = 0; i < config_field_cnt; i++)
		if (config_field[i].example != NULL &&
		    field_is_in(&config_field[i], section))
			return true;
	return false;
}

static void put_item(FILE *f, const char *list, unsigned indent)
{
	bool first = true;

	fprintf(f, "[{");
	for (unsigned i = 0; i < config_field_cnt; i++) {
		const struct field *fl = &config_field[i];

		if (fl->example == NULL || !field_is_item(fl, list))
			continue;
		fprintf(f, "%s", first ? "" : ",");
		first = false;
		put_indent(f, indent + 1);
		fprintf(f, "\"%s\": %s", field_key(fl), fl->example);
	}
	put_indent(f, indent);
	fprintf(f, "}]");
}

static void put_pairs(FILE *f, const char *section, unsigned indent)
{
	bool first = true;

	for (unsigned i = 0; i < config_field_cnt; i++) {
		const struct field *fl = &config_field[i];

		if (fl->example == NULL || !field_is_in(fl, section))
			continue;
		fprintf(f, "%s", first ? "" : ",");
		first = false;
		put_indent(f, indent);
		fprintf(f, "\"%s\": ", field_key(fl));
		if (fl->type == FIELD_OBJECTS)
			put_item(f, fl->path, indent);
		else
			fprintf(f, "%s", fl->example);
	}
}

void config_example(FILE *f)
{
	fputc('{', f);
	for (unsigned i = 0; i < config_section_cnt; i++) {
		if (!has_example(config_section[i].key))
			continue;
		put_indent(f, 1);
		fprintf(f, "\"%s\": {", config_section[i].key);
		put_pairs(f, config_section[i].key, 2);
		put_indent(f, 1);
		fprintf(f, "},");
	}
	put_pairs(f, "", 1);
	fprintf(f, "\n}\n");
}
