// What a node looks like to a compositor. The table is generated from nodes/*.yaml by generate.py.
#pragma once

#include <cstddef>

namespace cleanplate {

enum class Kind { number, integer, truth, choice, text };

struct Input {
    const char* name;
    const char* label;
    const char* hint;
    bool mask;
    bool optional;
    const char* file;   // the parameter that names a file to read instead, or ""
    const char* space;  // the parameter that names its colour space
};

// A parameter has a meaning only while another one has one of these values.
struct Condition {
    const char* parameter;
    const char* const* values;
    size_t count;
};

struct Parameter {
    const char* name;
    const char* label;
    const char* hint;
    const char* group;
    Kind kind;
    double number;     // default of a number, an integer, a truth value; index of a choice
    const char* text;  // default of a text
    double low, high, display_low, display_high;
    const char* const* choices;
    size_t choice_count;
    bool animates;
    bool changes_pixels;
    bool of_files;  // a meaning only where some input is read from a file
    const Condition* conditions;
    size_t condition_count;
};

struct Pass {
    const char* name;
    const char* layer;
    const char* channels;  // one letter each: RGBA, RGB, A
    const char* hint;
};

struct Face {
    const char* id;  // of the node, for the worker
    const char* plugin_id;
    const char* label;
    const char* group;
    const char* description;
    unsigned version;
    bool temporal;
    const Input* inputs;
    size_t input_count;
    const Parameter* parameters;
    size_t parameter_count;
    const Pass* passes;
    size_t pass_count;
    const char* const* groups;  // of parameters, in order
    size_t group_count;
};

extern const Face faces[];

// The read-only texts that say how the last frame was made, and the button that brings them up to date.
constexpr const char* kStatus = "status";
constexpr const char* kWeightsInfo = "weightsInfo";
constexpr const char* kUpdateStatus = "updateStatus";

}  // namespace cleanplate
