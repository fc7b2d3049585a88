/* An EsoRex recipe whose work is done by a Python process.
 *
 * One binary serves every recipe: each shared object stands beside a description of the same
 * name (soxs_mbias.so, soxs_mbias.desc), so that listing, documenting and configuring a recipe
 * start no Python; executing it starts the command that the description names. protocol.py says
 * what stands in the description and what the two processes tell each other. */
#define _GNU_SOURCE
#include <cpl.h>
#include <dlfcn.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/prctl.h>
#endif

#define RECORD '\036' /* starts what the child says to us; the rest of a line is its output */
#define LEN(array) (sizeof(array) / sizeof *(array))

static void unescape(char *text)
{
    char *out = text;
    for (; (*out = *text); text++, out++)
        if (*text == '\\' && text[1]) *out = *++text == 't' ? '\t' : *text == 'n' ? '\n' : *text;
}

static void put(FILE *file, const char *text, char end)
{
    for (; text && *text; text++) {
        if (strchr("\\\t\n", *text)) fputc('\\', file);
        fputc(*text == '\t' ? 't' : *text == '\n' ? 'n' : *text, file);
    }
    fputc(end, file);
}

/* Fields of a TAB-separated line, which is changed; NULL-terminated, to be freed. */
static char **split(char *line, int *count)
{
    size_t size = 2;
    for (const char *c = line; *c; c++) size += *c == '\t';
    char **fields = cpl_calloc(size, sizeof *fields);
    for (*count = 0; line; (*count)++) unescape(fields[*count] = strsep(&line, "\t"));
    return fields;
}

/* Text of the description beside this shared object, to be freed; NULL without one. */
static char *read_description(void)
{
    static const char anchor = 0;
    Dl_info self = {0};
    dladdr(&anchor, &self);
    const char *name = self.dli_fname ? self.dli_fname : "", *dot = strrchr(name, '.');
    char *path = cpl_sprintf("%.*s.desc", dot ? (int)(dot - name) : 0, name), *text = NULL;
    FILE *file = fopen(path, "r");
    size_t size = 0;
    if (!file || getdelim(&text, &size, '\0', file) < 0)
        cpl_msg_error("soxs", "Cannot read %s: run 'soxs esorex install' again", path);
    if (file) fclose(file);
    cpl_free(path);
    return text;
}

/* Fields of the next line that starts with a keyword; NULL after the last. */
static char **next_entry(char **text, const char *keyword, int least)
{
    for (char *line; (line = strsep(text, "\n"));) {
        int count;
        char **fields = split(line, &count);
        if (count >= least && !strcmp(fields[0], keyword)) return fields;
        cpl_free(fields);
    }
    return NULL;
}

/* What every kind of parameter is made from first: name, type, help, context. */
#define START(fields, type) fields[3], type, fields[6], fields[5]

static cpl_parameter *new_enum(char **f, cpl_type type, int count)
{
    void *choices = cpl_calloc((size_t)count + 1, sizeof(double) + sizeof(char *));
    for (int i = 0; i < count; i++) {
        if (type == CPL_TYPE_INT) ((int *)choices)[i] = atoi(f[8 + i]);
        else if (type == CPL_TYPE_DOUBLE) ((double *)choices)[i] = atof(f[8 + i]);
        else ((char **)choices)[i] = f[8 + i];
    }
    cpl_parameter *enumeration =
        cpl_parameter_new_enum_from_array(START(f, type), atoi(f[7]), count, choices);
    cpl_free(choices);
    return enumeration;
}

static cpl_parameter *new_parameter(char **f)
{
    const cpl_type type = (cpl_type)atoi(f[1]);
    const int integer = atoi(f[7]);
    const double real = atof(f[7]);
    int more = 0;
    while (f[8 + more]) more++;
    if (*f[2] == 'e') return new_enum(f, type, more);
    if (type == CPL_TYPE_STRING) return cpl_parameter_new_value(START(f, type), f[7]);
    if (type == CPL_TYPE_DOUBLE && more == 2)
        return cpl_parameter_new_range(START(f, type), real, atof(f[8]), atof(f[9]));
    if (type == CPL_TYPE_DOUBLE) return cpl_parameter_new_value(START(f, type), real);
    if (more == 2) return cpl_parameter_new_range(START(f, type), integer, atoi(f[8]), atoi(f[9]));
    return cpl_parameter_new_value(START(f, type), integer);
}

static int initialise(cpl_plugin *plugin)
{
    cpl_recipe *recipe = (cpl_recipe *)plugin;
    char *text = read_description(), *rest = text, **f;
    recipe->parameters = cpl_parameterlist_new();
    while ((f = next_entry(&rest, "param", 8))) {
        cpl_parameter *parameter = new_parameter(f);
        cpl_parameter_set_alias(parameter, CPL_PARAMETER_MODE_CLI, f[4]);
        cpl_parameter_disable(parameter, CPL_PARAMETER_MODE_ENV);
        cpl_parameterlist_append(recipe->parameters, parameter);
        cpl_free(f);
    }
    free(text);
    return (int)cpl_error_get_code();
}

static int deinitialise(cpl_plugin *plugin)
{
    cpl_parameterlist_delete(((cpl_recipe *)plugin)->parameters);
    return 0;
}

/* Write what the child reads on its standard input; 0 if it is all there. */
static int write_request(FILE *file, const cpl_recipe *recipe)
{
    const int shown = (int)cpl_msg_get_level(), logged = (int)cpl_msg_get_log_level();
    fprintf(file, "level\t%d\n", shown < logged ? shown : logged);
    for (cpl_size i = 0; i < cpl_frameset_get_size(recipe->frames); i++) {
        const cpl_frame *frame = cpl_frameset_get_position_const(recipe->frames, i);
        fprintf(file, "frame\t%d\t", (int)cpl_frame_get_group(frame));
        put(file, cpl_frame_get_tag(frame), '\t');
        put(file, cpl_frame_get_filename(frame), '\n');
    }
    for (const cpl_parameter *p = cpl_parameterlist_get_first_const(recipe->parameters); p;
         p = cpl_parameterlist_get_next_const(recipe->parameters)) {
        if (!cpl_parameter_get_default_flag(p)) continue; /* not set by the user */
        fprintf(file, "param\t%d\t", (int)cpl_parameter_get_type(p));
        put(file, cpl_parameter_get_name(p), '\t');
        switch (cpl_parameter_get_type(p)) {
        case CPL_TYPE_BOOL: fprintf(file, "%d\n", cpl_parameter_get_bool(p)); break;
        case CPL_TYPE_INT: fprintf(file, "%d\n", cpl_parameter_get_int(p)); break;
        case CPL_TYPE_DOUBLE: fprintf(file, "%.17g\n", cpl_parameter_get_double(p)); break;
        default: put(file, cpl_parameter_get_string(p), '\n');
        }
    }
    return fflush(file) || fseek(file, 0, SEEK_SET);
}

typedef struct {
    cpl_frameset *frames; /* gets the products */
    char message[CPL_ERROR_MAX_MESSAGE_LENGTH]; /* first error, else the last thing said */
    int has_error;
} answer;

static void relay(answer *reply, char level, const char *component, const char *text)
{
    if (level == 'E') cpl_msg_error(component, "%s", text);
    else if (level == 'W') cpl_msg_warning(component, "%s", text);
    else if (level == 'D') cpl_msg_debug(component, "%s", text);
    else cpl_msg_info(component, "%s", text);
    if (!reply->has_error) snprintf(reply->message, sizeof reply->message, "%s", text);
    if (level == 'E') reply->has_error = 1;
}

/* A line of the child: output, which may be a message of CPL's, and at its end a record. */
static void take_line(answer *reply, char *line)
{
    char *record = strchr(line, RECORD);
    if (record) *record++ = '\0';
    if (*line == '[' && strstr(line, "] ") == line + 8)
        relay(reply, line[1] == ' ' ? line[2] : line[1], "cpl", line + 10);
    else if (*line) relay(reply, 'I', "python", line);
    int count = 0;
    char **f = record ? split(record, &count) : NULL;
    if (count == 4 && !strcmp(f[0], "log")) relay(reply, *f[1], f[2], f[3]);
    if (count == 5 && !strcmp(f[0], "product")) {
        cpl_frame *frame = cpl_frame_new();
        cpl_frame_set_type(frame, (cpl_frame_type)atoi(f[1]));
        cpl_frame_set_level(frame, (cpl_frame_level)atoi(f[2]));
        cpl_frame_set_tag(frame, f[3]);
        cpl_frame_set_filename(frame, f[4]);
        cpl_frame_set_group(frame, CPL_FRAME_GROUP_PRODUCT);
        cpl_frameset_insert(reply->frames, frame);
    }
    cpl_free(f);
}

static const int SIGNALS[] = {SIGINT, SIGTERM, SIGHUP, SIGCHLD};
static volatile pid_t child;

/* Pass a signal on to the child's process group; kill what is left of the group when the child
 * has died, since nobody else would end it and it may hold our pipe open. */
static void on_signal(int number, siginfo_t *info, void *context)
{
    const int saved = errno;
    (void)context;
    if (child > 0 && (number != SIGCHLD || info->si_pid == child))
        kill(-child, number == SIGCHLD ? SIGKILL : number);
    errno = saved;
}

static void become(char **command, FILE *request, const int *ends, pid_t parent)
{
    setpgid(0, 0);
#ifdef __linux__
    prctl(PR_SET_PDEATHSIG, SIGTERM);
#endif
    if (getppid() == parent && dup2(fileno(request), STDIN_FILENO) >= 0 &&
        dup2(ends[1], STDOUT_FILENO) >= 0 && dup2(ends[1], STDERR_FILENO) >= 0) {
        close(ends[0]);
        close(ends[1]);
        execv(*command, command);
    }
    _exit(127);
}

/* Run a command to its end, relaying what it says; its wait status. */
static int run(char **command, FILE *request, answer *reply)
{
    struct sigaction own = {.sa_flags = SA_SIGINFO | SA_RESTART | SA_NOCLDSTOP}, old[LEN(SIGNALS)];
    int ends[2], status = 127 << 8;
    sigset_t mask, before;
    if (pipe(ends)) return status;
    own.sa_sigaction = on_signal;
    sigfillset(&mask);
    sigprocmask(SIG_BLOCK, &mask, &before); /* until there is a child to pass signals to */
    for (size_t i = 0; i < LEN(SIGNALS); i++) sigaction(SIGNALS[i], &own, old + i);
    const pid_t parent = getpid();
    child = fork();
    if (child > 0) setpgid(child, child);
    for (size_t i = 0; child == 0 && i < LEN(SIGNALS); i++) sigaction(SIGNALS[i], old + i, NULL);
    sigprocmask(SIG_SETMASK, &before, NULL);
    if (child == 0) become(command, request, ends, parent);
    close(ends[1]);
    FILE *output = fdopen(ends[0], "r");
    char *line = NULL;
    for (size_t size = 0; output && getline(&line, &size, output) > 0;) {
        line[strcspn(line, "\n")] = '\0';
        take_line(reply, line);
    }
    free(line);
    if (output) fclose(output);
    while (child > 0 && waitpid(child, &status, 0) < 0 && errno == EINTR) continue;
    child = 0;
    for (size_t i = 0; i < LEN(SIGNALS); i++) sigaction(SIGNALS[i], old + i, NULL);
    return status;
}

static int execute(cpl_plugin *plugin)
{
    const cpl_recipe *recipe = (const cpl_recipe *)plugin;
    char *text = read_description(), *rest = text, **command = next_entry(&rest, "command", 2);
    FILE *request = command && !access(command[1], X_OK) ? tmpfile() : NULL;
    answer reply = {recipe->frames, "", 0};
    int status = 127 << 8;
    if (request && !write_request(request, recipe)) status = run(command + 1, request, &reply);
    else snprintf(reply.message, sizeof reply.message, "%s", strerror(errno));
    const int killed = WIFSIGNALED(status);
    const int number = killed ? WTERMSIG(status) : WEXITSTATUS(status);
    if (killed || (status && !reply.has_error)) {
        char *problem =
            number == 127 ? cpl_sprintf("Cannot start %s: run 'soxs esorex install' again (%s)",
                                        command ? command[1] : "Python", reply.message)
                          : cpl_sprintf("The Python process ended with %s %d (%s)",
                                        killed ? "signal" : "status", number, reply.message);
        relay(&reply, 'E', cpl_plugin_get_name(plugin), problem);
        cpl_free(problem);
    }
    if (status) cpl_error_set_message(cpl_func, CPL_ERROR_UNSPECIFIED, "%s", reply.message);
    if (request) fclose(request);
    cpl_free(command);
    free(text);
    return killed ? 128 + number : number;
}

int cpl_plugin_get_info(cpl_pluginlist *list)
{
    char *text = read_description(), *rest = text, **f = next_entry(&rest, "recipe", 8);
    if (f) {
        cpl_plugin *plugin = cpl_calloc(1, sizeof(cpl_recipe));
        cpl_plugin_init(plugin, CPL_PLUGIN_API, strtoul(f[2], NULL, 10), CPL_PLUGIN_TYPE_RECIPE,
                        f[1], f[3], f[4], f[5], f[6], f[7], initialise, execute, deinitialise);
        cpl_pluginlist_append(list, plugin);
    }
    cpl_free(f);
    free(text);
    return 0;
}
