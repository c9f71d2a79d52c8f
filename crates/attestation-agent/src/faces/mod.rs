//! The faces of the agent: how requests come in and answers go out. None of them decides anything.
