-- What is wrong with contacts is known to the agent.
DROP TABLE troubles;
