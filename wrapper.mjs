import exported from './index.js';

export const {
  DockerServer, DockerClient, Docker, DockerError, DockerExecServer, DockerExecClient, errorCodes,
} = exported;
export default exported;
