"""The Java that bodies of user-defined functions are written in: checked and compiled to closures, never to Python's source.

program.py     compile_body(declaration, source) -> Program; Program.run(run, arguments)
errors.py      CompileError and its problems, throwables            run.py        steps, memory and time of an execution
lexer.py, expression_parser.py, parser.py -> nodes.py               types.py      types and conversions
type_resolver.py < call_compiler.py < expression_compiler.py < statement_compiler.py: a tree -> closures, checked
methods.py     overload resolution          classes.py  classes, read from the tables of library/
values.py, containers.py, cql_values.py     objects     codecs.py     CQL values <-> objects
"""
