"""Who may log in, and who may do what: authentication, roles, permissions (Cassandra's package auth).

    resources     what permissions are granted on: data, roles, functions, MBeans
    tables        the rows of system_auth
    roles         the role manager: roles, members, identities
    grants        the authorizer: permissions of roles on resources
    networks      from which datacenters and networks a role may come
    passwords     bcrypt, beside the loop
    login         authenticators: the conversation that makes somebody of a connection
    ldap          the authenticator whose users an LDAP server knows
    access        may this user do that? what every statement is asked when somebody checks
    needs         what a statement needs, found in its tree
    guard         that a plan is executed by those who may
    ownership     permissions that come and go with tables, keyspaces and functions
    statements    plans of CREATE ROLE, LIST ROLES and their like
    grant_statements  of GRANT, REVOKE, LIST PERMISSIONS
    listing       the rows of all that is listed

Nothing of it is imported where nobody logs in and no statement is about roles.
"""
